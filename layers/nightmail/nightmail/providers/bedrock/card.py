"""Amazon Bedrock, with both lanes."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider
from nightmail.providers.objects import Objects


def _direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.bedrock.provider import BedrockProvider

    return BedrockProvider(deployment, key)


def _format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.bedrock.batch_format import BedrockFormat

    return BedrockFormat(deployment)


def _jobs(deployment: Deployment, objects: Objects) -> BatchProvider:
    from nightmail.providers.bedrock.batches import open_jobs

    return open_jobs(deployment, objects)


def _has_jobs(deployment: Deployment) -> bool:
    from nightmail.providers.bedrock.stack import has_jobs

    return has_jobs(deployment)


CARD = Card(
    names=frozenset({"bedrock"}),
    direct_endpoints=lambda _: frozenset({CHAT, EMBEDDINGS}),
    open_direct=_direct,
    format=_format,
    open_shared=_jobs,
    has_batches=_has_jobs,
    batches_need=(
        "a chat model in the stack's own Region, without an address, key or credentials of its own"
    ),
)
