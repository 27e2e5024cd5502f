"""An answer of Converse's as OpenAI's chat completion; also what a batch's result holds.

Source: botocore's service model `bedrock-runtime`, ConverseResponse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nightmail.providers.conversion.completion import choice, completion, usage_beside_cache
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import count_of, mapping_of

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED = ("malformed_model_output", "malformed_tool_use")


def to_completion(answer: JsonObject, *, identity: str, created: int) -> JsonObject | None:
    """OpenAI's answer but for `model`, or None for what is no message.

    `identity` and `created` (Unix seconds) are what Converse does not tell. The thoughts stand under
    LiteLLM's names, `reasoning_content` and `thinking_blocks`.
    """
    blocks = mapping_of(mapping_of(answer.get("output")).get("message")).get("content")
    if not isinstance(blocks, list):
        return None
    blocks = [block for block in blocks if isinstance(block, dict)]
    calls = [mapping_of(block["toolUse"]) for block in blocks if "toolUse" in block]
    if not all(has_names(call) for call in calls) or is_malformed(answer.get("stopReason")):
        return None
    said = choice(_message(blocks, calls), finish_reason(answer.get("stopReason")))
    return completion(identity, created, [said], to_usage(answer.get("usage")))


def has_names(call: Mapping[str, Any]) -> bool:
    return isinstance(call.get("toolUseId"), str) and isinstance(call.get("name"), str)


def is_malformed(stop_reason: Any) -> bool:
    """Whether the model ended in something that is of no use."""
    return stop_reason in _MALFORMED


def finish_reason(stop_reason: Any) -> str:
    """OpenAI's word; one that is not known counts as `stop`."""
    return _FINISH_REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"


def to_usage(usage: Any) -> JsonObject:
    usage = mapping_of(usage)
    return usage_beside_cache(
        count_of(usage, "inputTokens"),
        count_of(usage, "outputTokens"),
        read=count_of(usage, "cacheReadInputTokens"),
        written=count_of(usage, "cacheWriteInputTokens"),
        for_an_hour=_written_for_an_hour(usage.get("cacheDetails")),
    )


def _written_for_an_hour(details: Any) -> int:
    entries = map(mapping_of, details if isinstance(details, list) else [])
    return sum(count_of(entry, "inputTokens") for entry in entries if entry.get("ttl") == "1h")


def redacted(content: Any) -> JsonObject:
    """A thought that only the model may read, in base64."""
    return {"type": "redacted_thinking", "data": content}


def _message(blocks: list[JsonObject], calls: list[JsonObject]) -> JsonObject:
    texts = [text for block in blocks if isinstance(text := block.get("text"), str)]
    message: JsonObject = {
        "role": "assistant",
        "content": "".join(texts) if texts or not calls else None,
        "refusal": None,
    }
    if calls:
        message["tool_calls"] = [
            {
                "id": call["toolUseId"],
                "type": "function",
                "function": {"name": call["name"], "arguments": _text_of(call.get("input"))},
            }
            for call in calls
        ]
    return message | _thoughts(blocks)


def _text_of(arguments: Any) -> str:
    return orjson.dumps(arguments or {}).decode()


def _thoughts(blocks: list[JsonObject]) -> JsonObject:
    kept = [
        _thought(mapping_of(block["reasoningContent"]))
        for block in blocks
        if "reasoningContent" in block
    ]
    if not kept:
        return {}
    told = "".join(str(thought.get("thinking") or "") for thought in kept)
    return {"reasoning_content": told, "thinking_blocks": kept}


def _thought(content: JsonObject) -> JsonObject:
    if "redactedContent" in content:
        return redacted(content["redactedContent"])
    told = mapping_of(content.get("reasoningText"))
    thought = {"type": "thinking", "thinking": str(told.get("text") or "")}
    signature = told.get("signature")
    return {**thought, "signature": signature} if isinstance(signature, str) else thought
