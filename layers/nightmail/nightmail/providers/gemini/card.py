"""Gemini, as its own API has it."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider


def _direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.gemini.provider import GeminiProvider

    return GeminiProvider(deployment, key)


CARD = Card(
    names=frozenset({"gemini"}),
    direct_endpoints=lambda _: frozenset({CHAT, EMBEDDINGS}),
    open_direct=_direct,
)
