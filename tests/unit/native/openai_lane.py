"""OpenAI's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.native.lane import NativeLane

OPENAI = NativeLane(
    provider="openai",
    batches="/batches",
    batch="/batches/batch_*",
    results="/files/*/content",
    format=OpenAIFormat,
    keeps_tags=True,
    validates=True,
    upload="/files",
)
