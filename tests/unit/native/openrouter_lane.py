"""OpenRouter's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.openrouter.batch_format import OpenRouterFormat

from tests.unit.native.lane import NativeLane

OPENROUTER = NativeLane(
    provider="openrouter",
    batches="/batches",
    batch="/batches/batch_*",
    results="/batches/batch_*",
    format=OpenRouterFormat,
    keeps_tags=False,
    validates=True,
    explains=False,
    cancels=False,
)
