"""The adapters that the suite runs over: one line for each."""

from __future__ import annotations

from tests.unit.native.anthropic_samples import ANTHROPIC
from tests.unit.native.cases import NativeSamples
from tests.unit.native.openai_samples import OPENAI

ADAPTERS: tuple[NativeSamples, ...] = (OPENAI, ANTHROPIC)
