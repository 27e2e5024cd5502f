"""xAI."""

from __future__ import annotations

from nightmail.endpoints import CHAT, COMPLETIONS, RESPONSES
from nightmail.providers.openai_protocol.cards import openai_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

_SERVER = Server("https://api.x.ai/v1", as_openai(CHAT, COMPLETIONS, RESPONSES))
CARD = openai_card({"xai": _SERVER})
