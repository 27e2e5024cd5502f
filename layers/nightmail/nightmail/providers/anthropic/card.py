"""Anthropic, with both lanes."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider


def _direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.anthropic.provider import AnthropicProvider

    return AnthropicProvider(deployment, key)


def _format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.anthropic.batch_format import AnthropicFormat

    return AnthropicFormat(deployment)


def _batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.anthropic.batches import open_anthropic

    return open_anthropic(deployment, key)


CARD = Card(
    names=frozenset({"anthropic"}),
    direct_endpoints=lambda _: frozenset({CHAT}),
    open_direct=_direct,
    format=_format,
    open_batches=_batches,
)
