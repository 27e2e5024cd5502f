"""Which provider a path belongs to. One simulator is all of them, each under a prefix of its own.

/v1/chat/completions, /chat/completions    openai
/groq/v1/chat/completions                  groq, and so for all that speak OpenAI's protocol
/openrouter/beta/batches                   openrouter's batches, which /openrouter/v1 has not
/anthropic/v1/messages                     anthropic
/cohere/v2/chat                            cohere
/bedrock/model/.../converse                bedrock, which has no version
/bedrock/model-invocation-job              its jobs
/azure/openai/v1/chat/completions          azure
/azure/openai/deployments/mine/chat/completions?api-version=...
/gemini/v1beta/models/...:generateContent  gemini
/gemini/upload/v1beta/files                gemini, as /upload/files
"""

from __future__ import annotations

import re
from typing import NamedTuple

COMPATIBLE = (
    "custom_openai",
    "deepseek",
    "fireworks",
    "fireworks_ai",
    "groq",
    "hosted_vllm",
    "lm_studio",
    "mistral",
    "ollama",
    "ollama_chat",
    "openai_like",
    "openrouter",
    "perplexity",
    "together",
    "together_ai",
    "vllm",
    "xai",
)
PROVIDERS = ("openai", "anthropic", "azure", "cohere", "gemini", "bedrock", *COMPATIBLE)
_VERSIONS = {
    "anthropic": "v1",
    "azure": "openai",
    "cohere": "v2",
    "gemini": "v1beta",
    "bedrock": "",
}
_IN_BETA = re.compile(r"openrouter/[^/]+/batches(/|\Z)")
_MEDIA = re.compile(r"^(upload|download)/v1beta(?=/)")


class Address(NamedTuple):
    """`path` is without the prefix and the version, or whole where no provider has such a path."""

    provider: str
    path: str


def address_of(path: str) -> Address:
    first, slash, rest = path[1:].partition("/")
    if not slash or first not in PROVIDERS:
        return Address("openai", path.removeprefix("/v1"))
    if first == "gemini":
        rest = _MEDIA.sub(r"v1beta/\1", rest)
    version = "beta" if _IN_BETA.match(path, 1) else _VERSIONS.get(first, "v1")
    own = rest.removeprefix(version) if version else f"/{rest}"
    if first == "azure":
        own = own.removeprefix("/v1")
    return Address(first, own if own != rest and own.startswith("/") else path)


def base_of(url: str, provider: str) -> str:
    """What a client of the provider takes as its base: with the version where that is the custom."""
    if provider not in PROVIDERS:
        raise ValueError(f"The simulator is no {provider}. It is one of {', '.join(PROVIDERS)}.")
    if provider == "openai":
        return f"{url}/v1"
    return f"{url}/{provider}" if provider in _VERSIONS else f"{url}/{provider}/v1"
