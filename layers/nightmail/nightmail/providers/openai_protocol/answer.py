"""Whole answers of servers that speak OpenAI's protocol more or less, as OpenAI gives them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS, RESPONSES
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.openai_protocol.chat import mend_chat
from nightmail.providers.openai_protocol.embeddings import mend_embeddings
from nightmail.providers.openai_protocol.usage import mend_usage

# The list that an answer of each endpoint is about.
_LISTS = {
    CHAT: "choices",
    COMPLETIONS: "choices",
    EMBEDDINGS: "data",
    MODERATIONS: "results",
    RESPONSES: "output",
}


def mend_answer(endpoint: str, body: JsonObject, request: Mapping[str, Any], provider: str) -> None:
    """Make `body` OpenAI's answer to `request`, in place. Raises ProviderGarbled where it is none,
    ProviderUnavailable where the server broke it off.
    """
    expected = _LISTS[endpoint]
    if not isinstance(body.get(expected), list):
        raise garbled(provider, f"with no {expected}", 200)
    if endpoint == CHAT:
        mend_chat(body, provider)
    elif endpoint == EMBEDDINGS:
        mend_embeddings(body, request, provider)
    else:
        mend_usage(body)


def mend_result(body: JsonObject, provider: str) -> None:
    """The same with an answer out of a batch, whose endpoint and request are not at hand."""
    if body.get("object") == "chat.completion" and isinstance(body.get("choices"), list):
        mend_chat(body, provider)
    else:
        mend_usage(body)
