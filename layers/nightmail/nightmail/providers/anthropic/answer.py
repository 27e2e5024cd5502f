"""A Message of Anthropic's as OpenAI's chat completion; also what a batch's result holds.

Sources: Anthropic's API description of Messages, and its page on OpenAI compatibility.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nightmail.providers.anthropic.answer_format import ANSWER_TOOL
from nightmail.providers.conversion.completion import choice, completion, usage_beside_cache
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import count_of, mapping_of

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "compaction": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def to_completion(message: JsonObject, *, created: int, functions: bool) -> JsonObject | None:
    """OpenAI's answer but for `model`, or None for what is no Message.

    `created` is Unix seconds, for Anthropic does not tell; `functions` asks for the `function_call`
    of old. The thoughts stand under LiteLLM's names, `reasoning_content` and `thinking_blocks`.
    """
    blocks = message.get("content")
    if not isinstance(blocks, list) or not isinstance(message.get("id"), str):
        return None
    blocks = [block for block in blocks if isinstance(block, dict)]
    calls = [block for block in blocks if is_call(block)]
    if not all(has_names(call) for call in calls):
        return None
    reason = finish_reason(message.get("stop_reason"), calls=bool(calls), functions=functions)
    said = choice(_message(message, blocks, calls, functions=functions), reason)
    return completion(message["id"], created, [said], to_usage(message.get("usage")))


def is_call(block: Mapping[str, Any]) -> bool:
    """Whether the block calls a tool of the caller's; the answer tool is ours."""
    return block.get("type") == "tool_use" and block.get("name") != ANSWER_TOOL


def has_names(call: Mapping[str, Any]) -> bool:
    return isinstance(call.get("id"), str) and isinstance(call.get("name"), str)


def is_answer(block: Mapping[str, Any]) -> bool:
    """Whether the input of this block is the answer."""
    return block.get("type") == "tool_use" and block.get("name") == ANSWER_TOOL


def finish_reason(stop_reason: Any, *, calls: bool, functions: bool) -> str:
    """OpenAI's word; one that is not known counts as `stop`."""
    reason = _FINISH_REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"
    if reason != "tool_calls":
        return reason
    if not calls:  # the answer tool alone
        return "stop"
    return "function_call" if functions else reason


def to_usage(usage: Any) -> JsonObject:
    usage = mapping_of(usage)
    kept = mapping_of(usage.get("cache_creation"))
    told = usage_beside_cache(
        count_of(usage, "input_tokens"),
        count_of(usage, "output_tokens"),
        read=count_of(usage, "cache_read_input_tokens"),
        written=count_of(usage, "cache_creation_input_tokens"),
        for_an_hour=count_of(kept, "ephemeral_1h_input_tokens"),
    )
    details = mapping_of(usage.get("output_tokens_details"))
    thoughts = {"reasoning_tokens": count_of(details, "thinking_tokens")}
    return {**told, "completion_tokens_details": thoughts}


def to_call(block: Mapping[str, Any]) -> JsonObject:
    """A tool_use block as a function with the text of its arguments."""
    return {"name": block["name"], "arguments": json_text(block.get("input") or {})}


def json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def explanation(details: Any) -> str | None:
    """Why the model refused, from `stop_details`."""
    text = details.get("explanation") if isinstance(details, dict) else None
    return text if isinstance(text, str) else None


def _message(
    message: JsonObject, blocks: list[JsonObject], calls: list[JsonObject], *, functions: bool
) -> JsonObject:
    texts = [text for block in blocks if (text := _text(block)) is not None]
    answer: JsonObject = {
        "role": "assistant",
        "content": "".join(texts) if texts or not calls else None,
        "refusal": explanation(message.get("stop_details")),
    }
    if calls and functions:
        answer["function_call"] = to_call(calls[0])
    elif calls:
        answer["tool_calls"] = [
            {"id": call["id"], "type": "function", "function": to_call(call)} for call in calls
        ]
    return answer | _thoughts(blocks)


def _text(block: JsonObject) -> str | None:
    if is_answer(block):
        return json_text(block.get("input") or {})
    return _string(block, "text") if block.get("type") == "text" else None


def _thoughts(blocks: list[JsonObject]) -> JsonObject:
    kept = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    if not kept:
        return {}
    told = "".join(_string(block, "thinking") for block in kept)
    return {"reasoning_content": told, "thinking_blocks": kept}


def _string(block: JsonObject, name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""
