"""Chat answers and chunks of servers that speak OpenAI's protocol more or less. Pure.

What is too much is kept; what is called otherwise, or left out, is put right in place.
"""

from __future__ import annotations

from typing import Any

import orjson

from nightmail.errors import ProviderUnavailable
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.openai_protocol.usage import mend_usage

# Mistral's, Together's; any other word is the server's own and stays.
_FINISH_REASONS = {"model_length": "length", "eos": "stop"}
# Mistral and OpenRouter, DeepSeek: the answer was broken off.
_BROKEN_OFF = frozenset({"error", "insufficient_system_resource"})


def mend_chat(body: JsonObject, provider: str) -> None:
    """Make `body` a `chat.completion`.

    Raises ProviderGarbled where it is none, ProviderUnavailable where the server broke it off.
    """
    choices = body["choices"]
    if not choices:
        raise garbled(provider, "with no choices", 200)
    for choice in choices:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise garbled(provider, "with a choice that has no message", 200)
        mend_message(message)
        message.setdefault("content", None)
        message.setdefault("refusal", None)
        choice.setdefault("logprobs", None)
        mend_finish_reason(choice, provider)
    mend_usage(body)


def mend_finish_reason(choice: JsonObject, provider: str) -> None:
    """Put it into OpenAI's words. Raises ProviderUnavailable where there is no end to speak of."""
    reason = choice.get("finish_reason")
    if not isinstance(reason, str):
        choice["finish_reason"] = None
    elif reason in _FINISH_REASONS:
        choice["finish_reason"] = _FINISH_REASONS[reason]
    elif reason in _BROKEN_OFF:
        raise ProviderUnavailable(
            f"{provider} broke off its answer.", provider=provider, upstream_status=200
        )


def mend_message(message: JsonObject) -> None:
    """A whole message, or a chunk's part of one."""
    if isinstance(message.get("content"), list):
        _join(message, message["content"])
    if "reasoning" in message and isinstance(message["reasoning"], str):
        message.setdefault("reasoning_content", message["reasoning"])
    if "tool_calls" in message:
        calls = message["tool_calls"]
        if isinstance(calls, list) and calls:
            _mend_tool_calls(calls)
        else:
            del message["tool_calls"]


def _join(message: JsonObject, parts: list[Any]) -> None:
    """Mistral's reasoning models answer in parts: of text, and of thinking, which has parts too."""
    message["content"] = _text(parts) or None
    thinking = [part.get("thinking") for part in parts if isinstance(part, dict)]
    reasoning = "".join(
        _text(part) if isinstance(part, list) else str(part or "") for part in thinking
    )
    if reasoning:
        message["reasoning_content"] = reasoning


def _text(parts: list[Any]) -> str:
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _mend_tool_calls(calls: list[Any]) -> None:
    """Mistral's description allows a call without a type, and arguments that are an object."""
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        if "id" in call:
            call.setdefault("type", "function")
        if isinstance(function.get("arguments"), dict):
            function["arguments"] = orjson.dumps(function["arguments"]).decode()
