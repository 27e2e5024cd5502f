"""Gemini's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.gemini.batch_format import GeminiFormat

from tests.unit.native.lane import NativeLane

GEMINI = NativeLane(
    provider="gemini",
    batches="/batches",
    batch="/batches/*",
    results="/download/files/*",
    format=GeminiFormat,
    keeps_tags=True,
    validates=True,
    creates="/models/*:batchGenerateContent",
    stops="/batches/*:cancel",
    upload="/upload/files",
    explains=False,
    keeps_expired=False,
)
