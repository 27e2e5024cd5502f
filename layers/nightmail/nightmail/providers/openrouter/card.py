"""OpenRouter: its requests are OpenAI's, and its batches but for how they come and go."""

from __future__ import annotations

from dataclasses import replace

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.providers.base import BatchFormat, BatchProvider, Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

SERVER = Server(
    "https://openrouter.ai/api/v1",
    as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
    is_exact=True,
)
_ENVELOPE_BYTES = 1000
# OpenRouter, "Batch API", key facts. Most of those that run its batches finish or expire in a day.
BATCHES = BatchApi(
    limits=Limits(lines=5_000, bytes=200_000_000 - _ENVELOPE_BYTES),
    endpoints=frozenset({CHAT, EMBEDDINGS, RESPONSES}),
    has_routes=False,
    has_metadata=False,
    # Of the providers behind it not all count before their batch has ended.
    has_live_counts=False,
)


def _format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.openrouter.batch_format import OpenRouterFormat

    return OpenRouterFormat(deployment, SERVER, BATCHES)


def _batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.openrouter.batches import open_openrouter

    return open_openrouter(deployment, key)


CARD = replace(
    openai_batch_card({"openrouter": SERVER}, BATCHES),
    format=_format,
    open_batches=_batches,
    can_cancel=False,
)
