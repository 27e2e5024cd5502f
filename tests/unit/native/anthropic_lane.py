"""Anthropic's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.anthropic.batch_format import AnthropicFormat

from tests.unit.native.lane import NativeLane

ANTHROPIC = NativeLane(
    provider="anthropic",
    batches="/messages/batches",
    batch="/messages/batches/" + "[!/]" * 33,
    results="/messages/batches/*/results",
    format=AnthropicFormat,
    keeps_tags=False,
    validates=False,
)
