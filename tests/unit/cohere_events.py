"""Events of Cohere's stream, as bytes and before."""

from __future__ import annotations

from typing import Any

import orjson

START = {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}}
USAGE = {"tokens": {"input_tokens": 7, "output_tokens": 3}, "cached_tokens": 2}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}


def said(text: str, kind: str = "content-delta", field: str = "text") -> dict[str, Any]:
    return {"type": kind, "index": 0, "delta": {"message": {"content": {field: text}}}}


def called(index: int, **call: Any) -> dict[str, Any]:
    kind = "tool-call-start" if "id" in call else "tool-call-delta"
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}}


def beginning(identity: str, name: str) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": ""}}


def written(*events: Any) -> bytes:
    return b"".join(
        b"event: " + str(event["type"]).encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"
        for event in events
    )
