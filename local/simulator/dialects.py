"""Which dialect each provider speaks."""

from __future__ import annotations

from local.simulator.anthropic.dialect import AnthropicDialect
from local.simulator.azure.dialect import AzureDialect
from local.simulator.bedrock.dialect import BedrockDialect
from local.simulator.cohere.dialect import CohereDialect
from local.simulator.dialect import Dialect
from local.simulator.gemini.dialect import GeminiDialect
from local.simulator.groq.dialect import GroqDialect
from local.simulator.mistral.dialect import MistralDialect
from local.simulator.openai_dialect import OpenAIDialect
from local.simulator.openrouter.dialect import OpenRouterDialect
from local.simulator.together.dialect import TogetherDialect
from local.simulator.xai.dialect import XaiDialect

_LENIENT = OpenAIDialect(is_strict=False)
_TOGETHER = TogetherDialect(is_strict=False)
_DIALECTS: dict[str, Dialect] = {
    "openai": OpenAIDialect(),
    "anthropic": AnthropicDialect(),
    "bedrock": BedrockDialect(),
    "azure": AzureDialect(),
    "cohere": CohereDialect(),
    "gemini": GeminiDialect(),
    "groq": GroqDialect(is_strict=False, usage="end"),
    "mistral": MistralDialect(is_strict=False, usage="end"),
    "openrouter": OpenRouterDialect(is_strict=False),
    "together": _TOGETHER,
    "together_ai": _TOGETHER,
    "xai": XaiDialect(is_strict=False),
}


def dialect_of(provider: str) -> Dialect:
    """That of OpenAI for all others, whose servers are more lenient."""
    return _DIALECTS.get(provider, _LENIENT)
