"""A chat completion cut into the chunks of OpenAI's stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import orjson

from local.simulator.dialect import Event

Chunk = dict[str, Any]
UsageAt = Literal["nowhere", "chunk", "end"]
"""Usage comes in a chunk of its own, or with the finish reason, or not at all."""

_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")
DONE = Event(b"data: [DONE]\n\n")
_WORD = re.compile(r"\S+\s*")
_PIECE = 8


def events(completion: Chunk, usage: UsageAt) -> Iterator[Event]:
    """Events that add up to the completion, word by word."""
    told: Chunk = {"usage": None} if usage == "chunk" else {}
    head = {name: completion[name] for name in _HEAD if name in completion}
    head["object"] = "chat.completion.chunk"
    for choice in completion["choices"]:
        for delta, finish_reason in _deltas(choice):
            piece = {"index": choice["index"], "delta": delta, "logprobs": None}
            chunk = head | told | {"choices": [piece | {"finish_reason": finish_reason}]}
            if usage == "end" and finish_reason:
                chunk["usage"] = completion["usage"]
            yield Event(to_event(chunk), bool(delta) and "role" not in delta)
    if usage == "chunk":
        yield Event(to_event(head | {"choices": [], "usage": completion["usage"]}))
    yield DONE


def to_event(data: Chunk) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def words(text: str) -> list[str]:
    """The tokens of a text, each with the white space behind it."""
    return _WORD.findall(text)


def pieces(text: str) -> list[str]:
    """A tool's arguments as they come: in pieces that are no JSON by themselves."""
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _deltas(choice: Chunk) -> Iterator[tuple[Chunk, str | None]]:
    message = choice["message"]
    yield {"role": "assistant", "content": "", "refusal": None}, None
    for name in ("reasoning_content", "refusal", "content"):
        for word in _spoken(message.get(name) or ""):
            yield {name: word}, None
    for index, call in enumerate(message.get("tool_calls") or []):
        yield from _call_deltas(index, call)
    yield {}, choice["finish_reason"]


def _spoken(content: str | list[Chunk]) -> Iterator[str | list[Chunk]]:
    """Word by word; what was thought stays a part where content has parts."""
    if isinstance(content, str):
        yield from words(content)
        return
    for part in content:
        for thought in part.get("thinking", ()):
            for word in words(thought["text"]):
                yield [{**part, "thinking": [{**thought, "text": word}]}]
        yield from words(part.get("text", ""))


def _call_deltas(index: int, call: Chunk) -> Iterator[tuple[Chunk, str | None]]:
    """Id, type and name come in the first piece only; `index` joins the pieces."""
    function = {"name": call["function"]["name"], "arguments": ""}
    first = {"index": index, "id": call["id"], "type": "function", "function": function}
    yield {"tool_calls": [first]}, None
    for piece in pieces(call["function"]["arguments"]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None
