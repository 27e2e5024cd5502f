"""Groq: OpenAI's batches, for chat alone; it refuses what its published schema does not name (`additionalProperties: false`)."""

from __future__ import annotations

from nightmail.endpoints import CHAT, EMBEDDINGS, RESPONSES
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import (
    USAGE_COMES_ANYWAY,
    Rules,
    Server,
    as_openai,
)

_NOT_IN_CHAT = frozenset(
    {"audio", "modalities", "moderation", "prediction", "safety_identifier", "verbosity"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "web_search_options"}
    | {"logit_bias", "logprobs", "n", "top_logprobs"}  # console.groq.com/docs/openai
)
_CHAT = Rules(unsupported=_NOT_IN_CHAT, ours=USAGE_COMES_ANYWAY)
_EMBEDDINGS = Rules(unsupported=frozenset({"dimensions"}))
_SERVER = Server(
    "https://api.groq.com/openai/v1",
    as_openai(RESPONSES) | {CHAT: _CHAT, EMBEDDINGS: _EMBEDDINGS},
)
# Groq's API description: files of at most 100 MB, and how many lines its page on batches says.
BATCHES = BatchApi(limits=Limits(lines=50_000, bytes=100_000_000), endpoints=frozenset({CHAT}))
CARD = openai_batch_card({"groq": _SERVER}, BATCHES)
