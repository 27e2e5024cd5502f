"""Gemini, as its own API has it."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider


def _direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.gemini.provider import GeminiProvider

    return GeminiProvider(deployment, key)


def _format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.gemini.batch_format import GeminiFormat

    return GeminiFormat(deployment)


def _batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.gemini.batches import open_gemini

    return open_gemini(deployment, key)


CARD = Card(
    names=frozenset({"gemini"}),
    direct_endpoints=lambda _: frozenset({CHAT, EMBEDDINGS}),
    open_direct=_direct,
    format=_format,
    open_batches=_batches,
)
