"""The adapters that the suite runs over: one line for each."""

from __future__ import annotations

from tests.unit.adapters.anthropic_samples import ANTHROPIC
from tests.unit.adapters.azure_samples import AZURE
from tests.unit.adapters.bedrock_samples import BEDROCK
from tests.unit.adapters.cases import AdapterSamples
from tests.unit.adapters.cohere_samples import COHERE
from tests.unit.adapters.gemini_samples import GEMINI
from tests.unit.adapters.openai_samples import COMPATIBLE, OPENAI

ADAPTERS: tuple[AdapterSamples, ...] = (
    OPENAI,
    *COMPATIBLE,
    ANTHROPIC,
    AZURE,
    COHERE,
    GEMINI,
    BEDROCK,
)
