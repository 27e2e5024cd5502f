"""A chat request on its way to Anthropic."""

from __future__ import annotations

from dataclasses import dataclass

from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.conversion.claude_abilities import Abilities, abilities_of


@dataclass(frozen=True, slots=True)
class AnthropicRequest(ChatRequest):
    """What its model can do decides what becomes of its parameters."""

    @property
    def abilities(self) -> Abilities:
        return abilities_of(self.deployment.model)
