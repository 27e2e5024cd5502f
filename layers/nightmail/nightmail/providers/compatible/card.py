"""Servers that speak OpenAI's protocol and have no folder of their own: a row is all that they need."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import MAX_TOKENS, Rules, Server, as_openai

# docs.ollama.com/api/openai-compatibility leaves these out; they would be ignored in silence.
_OLLAMA_CHAT = Rules(renamed=MAX_TOKENS.renamed, unsupported=frozenset({"logit_bias", "n"}))
_OLLAMA = Server(
    "http://localhost:11434/v1",
    as_openai(EMBEDDINGS, COMPLETIONS, RESPONSES) | {CHAT: _OLLAMA_CHAT},
    is_under_v1=True,
)
_VLLM = Server(is_under_v1=True, endpoints=as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES))
# OpenAI's own limits: whoever has its batches has them from there.
BATCHES = BatchApi(limits=Limits(lines=50_000, bytes=200 * 1024 * 1024, inputs=50_000))


def _has_batches(deployment: Deployment) -> bool:
    """Most have none: it is the config's `batch: native` that says so."""
    return deployment.lane == "native"


CARD = openai_batch_card(
    {
        "custom_openai": Server(is_exact=True),
        "deepseek": Server("https://api.deepseek.com", {CHAT: MAX_TOKENS}),
        "hosted_vllm": _VLLM,
        "lm_studio": Server(
            "http://localhost:1234/v1",
            as_openai(EMBEDDINGS, COMPLETIONS, RESPONSES) | {CHAT: MAX_TOKENS},
            is_under_v1=True,
        ),
        "ollama": _OLLAMA,
        "ollama_chat": _OLLAMA,
        "openai_like": Server(is_exact=True),
        "perplexity": Server("https://api.perplexity.ai", {CHAT: MAX_TOKENS}),
        "vllm": _VLLM,
    },
    BATCHES,
    _has_batches,
)
