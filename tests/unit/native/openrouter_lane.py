"""OpenRouter's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.native.lane import NativeLane

OPENROUTER = NativeLane(
    provider="openrouter",
    batches="/batches",
    batch="/batches/batch_*",
    results="/batches/batch_*",
    format=OpenAIFormat,
    keeps_tags=False,
    validates=True,
    explains=False,
    cancels=False,
)
