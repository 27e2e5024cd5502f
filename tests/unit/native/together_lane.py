"""Together's native lane in the suite of whole lives."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.native.openai_lane import OPENAI

TOGETHER = replace(
    OPENAI,
    provider="together_ai",
    batch="/batches/" + "[!/]" * 36,
    upload="/files/upload",
    explains=False,
)
