"""Names: whose the well-known models are, and whose key is called what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

# The names that LiteLLM's users have in their environments (its provider pages).
KEY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "ANTHROPIC_API_KEY",
        "azure": "AZURE_API_KEY",
        "cohere": "COHERE_API_KEY",
        "cohere_chat": "COHERE_API_KEY",
        "deepseek": "DEEPSEEK_API_KEY",
        "fireworks": "FIREWORKS_AI_API_KEY",
        "fireworks_ai": "FIREWORKS_AI_API_KEY",
        "gemini": "GEMINI_API_KEY",
        "groq": "GROQ_API_KEY",
        "mistral": "MISTRAL_API_KEY",
        "openai": "OPENAI_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
        "perplexity": "PERPLEXITYAI_API_KEY",
        "together": "TOGETHERAI_API_KEY",
        "together_ai": "TOGETHERAI_API_KEY",
        "xai": "XAI_API_KEY",
    }
)

# Of those that are at an address of each customer's own: what it is called.
BASE_NAMES: Mapping[str, str] = MappingProxyType({"azure": "AZURE_API_BASE"})

# Who is served here; the adapters are chosen by these names in `providers.registry`.
SERVED = frozenset(
    {
        *KEY_NAMES,
        "bedrock",
        "custom_openai",
        "hosted_vllm",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "openai_like",
        "vllm",
    }
)

# Names without a provider that LiteLLM's users are used to; any other has to name its provider.
_KNOWN_MODELS = (
    (
        "openai",
        re.compile(
            r"gpt-|chatgpt-|o\d|text-embedding-|(omni|text)-moderation-|(davinci|babbage)-002|ft:|codex-"
        ),
    ),
    ("anthropic", re.compile(r"claude-")),
    ("gemini", re.compile(r"gemini-")),
    ("cohere", re.compile(r"command(-|$)|c4ai-aya-|embed-(english|multilingual|v\d)")),
)


def split_model(model: str, provider: str | None = None) -> tuple[str, str] | None:
    """`openai/gpt-4o` as provider and the provider's own name, or None where no provider is known.

    Where `provider` is given, the whole name is the provider's own, slashes and all.
    """
    if provider:
        own = model.removeprefix(f"{provider}/")
        return (provider, own) if own else None
    before, slash, after = model.partition("/")
    if slash:
        return (before, after) if before and after else None
    return next(((known, model) for known, names in _KNOWN_MODELS if names.match(model)), None)
