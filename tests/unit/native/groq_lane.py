"""Groq's native lane in the suite of whole lives."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.native.openai_lane import OPENAI

GROQ = replace(OPENAI, provider="groq")
