"""Groq's protocol: OpenAI's, with a fingerprint and a tier of its own."""

from __future__ import annotations

from local.simulator.dialect import Json
from local.simulator.markers import How
from local.simulator.openai_dialect import OpenAIDialect

_OWN = {"system_fingerprint": "fp_simulator", "service_tier": "on_demand"}


class GroqDialect(OpenAIDialect):
    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        answer = super().answer(path, body, withheld)
        return answer | _OWN if path == "/chat/completions" else answer
