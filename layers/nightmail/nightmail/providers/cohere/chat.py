"""A chat call in Cohere's words and back, without any HTTP: a batch's lines are the same."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nightmail.providers.cohere.answer import (
    to_finish_reason,
    to_logprobs,
    to_message,
    to_usage,
)
from nightmail.providers.cohere.messages import to_messages
from nightmail.providers.cohere.parameters import to_parameters
from nightmail.providers.cohere.tools import to_tools
from nightmail.providers.conversion.completion import choice, completion
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled


def to_chat(parameters: Mapping[str, Any], model: str) -> JsonObject:
    """The body of POST /v2/chat, but for `stream`. Raises InvalidRequest that names a field."""
    return {
        "model": model,
        "messages": to_messages(parameters.get("messages")),
        **to_parameters(parameters),
        **to_tools(parameters.get("tools"), parameters.get("tool_choice")),
    }


def from_chat(answer: JsonObject, model: str, created: int, provider: str) -> JsonObject:
    """OpenAI's `chat.completion`. Raises what an answer is that ended in an error, or is none."""
    message = answer.get("message")
    if not isinstance(message, dict):
        raise garbled(provider, "with no message", HTTPStatus.OK)
    reason = to_finish_reason(answer.get("finish_reason"), provider)
    said = choice(to_message(message), reason, logprobs=to_logprobs(answer.get("logprobs")))
    whole = completion(str(answer.get("id") or ""), created, [said], to_usage(answer.get("usage")))
    return {**whole, "model": model}
