"""Azure OpenAI's native lane in the suite of whole lives."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.native.openai_lane import OPENAI

AZURE = replace(OPENAI, provider="azure")
