"""A batch as Groq shows it: what is not there yet is left out."""

from __future__ import annotations

from typing import Any

from local.simulator.openai_batches import OpenAIBatch


class GroqBatch(OpenAIBatch):
    def to_object(self) -> dict[str, Any]:
        shown = super().to_object()
        return {name: value for name, value in shown.items() if value is not None}
