"""Servers that speak OpenAI's protocol: where they are, and what they have not.

A parameter that no row names is passed on: the server knows best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS, RESPONSES


@dataclass(frozen=True, slots=True)
class Rules:
    """How the requests of one endpoint differ from OpenAI's.

    `unsupported` names parameters that the server has not, `ours` those that it has not and whose
    work is done here: usage at a stream's end, embeddings in base64.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    unsupported: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()


_AS_OPENAI = Rules()
_MAX_TOKENS = Rules(renamed={"max_completion_tokens": "max_tokens"})


def _as_openai(*endpoints: str) -> dict[str, Rules]:
    return dict.fromkeys(endpoints, _AS_OPENAI)


@dataclass(frozen=True, slots=True)
class Server:
    """`base` is its URL, where it has one of its own; `is_under_v1` says that a URL without a path
    means its `/v1`. `model_prefix` stands before model names that have no slash. One that `is_exact`
    takes all of OpenAI's forms, the others get the plainest.
    """

    base: str | None = None
    endpoints: Mapping[str, Rules] = field(
        default_factory=lambda: _as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES, MODERATIONS)
    )
    is_under_v1: bool = False
    is_exact: bool = False
    model_prefix: str = ""


# Both refuse what their published schemas do not name (`additionalProperties: false`).
_NOT_AT_GROQ = frozenset(
    {"audio", "modalities", "moderation", "prediction", "safety_identifier", "verbosity"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "web_search_options"}
    | {"logit_bias", "logprobs", "n", "top_logprobs"}  # console.groq.com/docs/openai
)
_NOT_AT_MISTRAL = frozenset(
    {"audio", "function_call", "functions", "logit_bias", "logprobs", "modalities", "moderation"}
    | {"prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier"}
    | {"store", "top_logprobs", "user", "verbosity", "web_search_options"}
)
# docs.ollama.com/api/openai-compatibility leaves these out; they would be ignored in silence.
_NOT_AT_OLLAMA = frozenset({"logit_bias", "n"})
_USAGE_COMES_ANYWAY = frozenset({"stream_options"})

_GROQ = Rules(unsupported=_NOT_AT_GROQ, ours=_USAGE_COMES_ANYWAY)
_GROQ_EMBEDDINGS = Rules(unsupported=frozenset({"dimensions"}))
_MISTRAL = Rules(
    renamed={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
    unsupported=_NOT_AT_MISTRAL,
    ours=_USAGE_COMES_ANYWAY,
)
_MISTRAL_EMBEDDINGS = Rules(
    renamed={"dimensions": "output_dimension"}, unsupported=frozenset({"user"})
)
# Its schema has `model` and `input` alone.
_TOGETHER_EMBEDDINGS = Rules(
    unsupported=frozenset({"dimensions", "user"}), ours=frozenset({"encoding_format"})
)
_OLLAMA = Rules(renamed=_MAX_TOKENS.renamed, unsupported=_NOT_AT_OLLAMA)

# Its logprobs are a number, and its answers' have another form.
_TOGETHER_CHAT = Rules(
    renamed=_MAX_TOKENS.renamed, unsupported=frozenset({"logprobs", "top_logprobs"})
)

_VLLM = Server(is_under_v1=True, endpoints=_as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES))
_OLLAMA_SERVER = Server(
    "http://localhost:11434/v1",
    _as_openai(EMBEDDINGS, COMPLETIONS, RESPONSES) | {CHAT: _OLLAMA},
    is_under_v1=True,
)
_TOGETHER = Server(
    "https://api.together.ai/v1",
    _as_openai(COMPLETIONS) | {CHAT: _TOGETHER_CHAT, EMBEDDINGS: _TOGETHER_EMBEDDINGS},
)
_FIREWORKS = Server(
    "https://api.fireworks.ai/inference/v1",
    _as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
    model_prefix="accounts/fireworks/models/",
)
SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        "openai": Server("https://api.openai.com/v1", is_exact=True),
        "custom_openai": Server(is_exact=True),
        "deepseek": Server("https://api.deepseek.com", {CHAT: _MAX_TOKENS}),
        "fireworks": _FIREWORKS,
        "fireworks_ai": _FIREWORKS,
        "groq": Server(
            "https://api.groq.com/openai/v1",
            _as_openai(RESPONSES) | {CHAT: _GROQ, EMBEDDINGS: _GROQ_EMBEDDINGS},
        ),
        "hosted_vllm": _VLLM,
        "lm_studio": Server(
            "http://localhost:1234/v1",
            _as_openai(EMBEDDINGS, COMPLETIONS, RESPONSES) | {CHAT: _MAX_TOKENS},
            is_under_v1=True,
        ),
        "mistral": Server(
            "https://api.mistral.ai/v1", {CHAT: _MISTRAL, EMBEDDINGS: _MISTRAL_EMBEDDINGS}
        ),
        "ollama": _OLLAMA_SERVER,
        "ollama_chat": _OLLAMA_SERVER,
        "openai_like": Server(is_exact=True),
        "openrouter": Server(
            "https://openrouter.ai/api/v1",
            _as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
            is_exact=True,
        ),
        "perplexity": Server("https://api.perplexity.ai", {CHAT: _MAX_TOKENS}),
        "together": _TOGETHER,
        "together_ai": _TOGETHER,
        "vllm": _VLLM,
        "xai": Server("https://api.x.ai/v1", _as_openai(CHAT, COMPLETIONS, RESPONSES)),
    }
)
