"""Fireworks."""

from __future__ import annotations

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.providers.openai_protocol.cards import openai_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

_SERVER = Server(
    "https://api.fireworks.ai/inference/v1",
    as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
    model_prefix="accounts/fireworks/models/",
)
CARD = openai_card({"fireworks": _SERVER, "fireworks_ai": _SERVER})
