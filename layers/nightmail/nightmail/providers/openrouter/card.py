"""OpenRouter."""

from __future__ import annotations

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.providers.openai_protocol.cards import openai_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

_SERVER = Server(
    "https://openrouter.ai/api/v1",
    as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
    is_exact=True,
)
CARD = openai_card({"openrouter": _SERVER})
