"""Azure OpenAI: OpenAI's protocol at a resource of one's own, whose deployments are the models."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider


def _direct_endpoints(name: str) -> frozenset[str]:  # noqa: ARG001 - it has one name
    from nightmail.providers.azure.service import SERVER

    return frozenset(SERVER.endpoints)


def _open_direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.azure.provider import AzureDirect

    return AzureDirect(deployment, key)


def _format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.azure.service import BATCHES, DATED_BATCHES, SERVER, has_date
    from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

    api = DATED_BATCHES if has_date(deployment) else BATCHES
    return OpenAIFormat(deployment, SERVER, api)


def _open_batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.azure.batches import open_batches

    return open_batches(deployment, key)


CARD = Card(
    names=frozenset({"azure"}),
    direct_endpoints=_direct_endpoints,
    open_direct=_open_direct,
    format=_format,
    open_batches=_open_batches,
)
