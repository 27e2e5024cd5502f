"""Cohere's answers as OpenAI's (https://docs.cohere.com/reference/chat, the response)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from nightmail.errors import ProviderError
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import provider_error
from nightmail.providers.json_text import mapping_of

_FINISH_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_FAILURES = {
    "ERROR": HTTPStatus.INTERNAL_SERVER_ERROR,
    "TIMEOUT": HTTPStatus.REQUEST_TIMEOUT,
}
_MOST_TOKENS = 2**53


def to_message(message: JsonObject) -> JsonObject:
    """The plan for tool calls is reasoning, as is what a thinking model thought."""
    parts = [part for part in _list(message.get("content")) if isinstance(part, dict)]
    reasoning = _joined([message.get("tool_plan"), *(part.get("thinking") for part in parts)])
    converted: JsonObject = {
        "role": "assistant",
        "content": _joined(part.get("text") for part in parts),
        "refusal": None,
    }
    if reasoning:
        converted["reasoning_content"] = reasoning
    if calls := [to_call(call) for call in _list(message.get("tool_calls"))]:
        converted["tool_calls"] = calls
    if citations := _list(message.get("citations")):
        converted["citations"] = citations
    return converted


def to_call(call: Any) -> JsonObject:
    entry = mapping_of(call)
    function = mapping_of(entry.get("function"))
    return {
        "id": str(entry.get("id") or ""),
        "type": "function",
        "function": {
            "name": str(function.get("name") or ""),
            "arguments": str(function.get("arguments") or ""),
        },
    }


def to_finish_reason(word: Any, provider: str, words: str = "", key: str | None = None) -> str:
    """A word that Cohere did not have yet is an ordinary end.

    Raises what an answer is that ended in an error, of which Cohere says `words`.
    """
    reason = str(word)
    if words or reason in _FAILURES:
        means = _FAILURES.get(reason, HTTPStatus.INTERNAL_SERVER_ERROR)
        raise failure(words or f"it broke its answer off ({reason}).", provider, key, means)
    return _FINISH_REASONS.get(reason, "stop")


def failure(
    words: str, provider: str, key: str | None, means: int = HTTPStatus.INTERNAL_SERVER_ERROR
) -> ProviderError:
    """An error that came after a status of 200, as if it had come with its own."""
    return provider_error(
        (words, None, None), provider=provider, key=key, status=HTTPStatus.OK, means=means
    )


def to_usage(usage: Any) -> JsonObject:
    """`billed_units` are what costs; `tokens`, with a template that is free, stand in for them."""
    counts = mapping_of(usage)
    tokens, billed = mapping_of(counts.get("tokens")), mapping_of(counts.get("billed_units"))
    prompt = _count(billed.get("input_tokens")) or _count(tokens.get("input_tokens"))
    completion = _count(billed.get("output_tokens")) or _count(tokens.get("output_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": min(prompt, _count(counts.get("cached_tokens")))
        },
    }


def to_logprobs(items: Any) -> JsonObject | None:
    """A piece of several tokens has one entry: their logarithms add up."""
    entries = [_logprob(item) for item in _list(items) if isinstance(item, dict)]
    return {"content": entries, "refusal": None} if entries else None


def _logprob(item: JsonObject) -> JsonObject:
    text = str(item.get("text") or "")
    numbers = [n for n in _list(item.get("logprobs")) if isinstance(n, int | float)]
    return {
        "token": text,
        "logprob": float(sum(numbers)),
        "bytes": list(text.encode()),
        "top_logprobs": [],
    }


def _joined(texts: Iterable[Any]) -> str | None:
    return "".join(text for text in texts if isinstance(text, str)) or None


def _count(value: Any) -> int:
    """Cohere counts in floats."""
    return int(value) if isinstance(value, int | float) and 0 < value < _MOST_TOKENS else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
