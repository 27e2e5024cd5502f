"""xAI's native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.native.lane import NativeLane

_BATCH = "/batches/" + "[!/:]" * 38

XAI = NativeLane(
    provider="xai",
    batches="/batches",
    batch=_BATCH,
    results="/batches/*/results",
    format=OpenAIFormat,
    keeps_tags=True,
    validates=True,
    stops=f"{_BATCH}:cancel",
    upload="/files",
    explains=False,
)
