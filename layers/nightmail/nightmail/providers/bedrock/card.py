"""Amazon Bedrock, with the direct lane."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider


def _direct(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.bedrock.provider import BedrockProvider

    return BedrockProvider(deployment, key)


CARD = Card(
    names=frozenset({"bedrock"}),
    direct_endpoints=lambda _: frozenset({CHAT, EMBEDDINGS}),
    open_direct=_direct,
)
