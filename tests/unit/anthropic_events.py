"""Anthropic's messages and streams, written as its documentation describes them."""

from __future__ import annotations

from typing import Any

import orjson

from tests.unit.machine import Json

MODEL = "claude-sonnet-4-5-20250929"


def message(*content: Json, stop_reason: str = "end_turn", **more: Any) -> Json:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage(),
        **more,
    }


def usage(given: int = 12, written: int = 5, **more: Any) -> Json:
    return {
        "input_tokens": given,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": written,
        "server_tool_use": None,
        "service_tier": "standard",
        **more,
    }


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def tool_use(identity: str, given: Json, name: str = "get_weather") -> Json:
    return {"type": "tool_use", "id": identity, "name": name, "input": given}


def error(kind: str, words: str) -> bytes:
    body = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}
    return orjson.dumps(body)


def event(kind: str, **body: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + orjson.dumps({"type": kind, **body}) + b"\n\n"


def start(**more: Any) -> bytes:
    begun = message(stop_reason="", usage=usage(written=1), **more)
    return event("message_start", message={**begun, "stop_reason": None})


def opened(index: int, block: Json) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def part(index: int, kind: str, **more: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **more})


def closed(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text_block(index: int, *pieces: str) -> bytes:
    deltas = b"".join(part(index, "text_delta", text=piece) for piece in pieces)
    return opened(index, text("")) + deltas + closed(index)


def tool_block(index: int, identity: str, *pieces: str, name: str = "get_weather") -> bytes:
    deltas = b"".join(part(index, "input_json_delta", partial_json=piece) for piece in pieces)
    return opened(index, tool_use(identity, {}, name)) + deltas + closed(index)


def end(stop_reason: str = "end_turn", written: int = 5, **more: Any) -> bytes:
    delta = {"stop_reason": stop_reason, "stop_sequence": None, **more}
    return event("message_delta", delta=delta, usage={"output_tokens": written}) + event(
        "message_stop"
    )


def failure(kind: str = "overloaded_error", words: str = "Overloaded") -> bytes:
    return b"event: error\ndata: " + error(kind, words) + b"\n\n"


PING = event("ping")
