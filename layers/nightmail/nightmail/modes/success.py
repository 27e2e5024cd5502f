"""Whether an answer is worth winning a race: it has content or a tool call, and no filter cut it.

Nothing is relied on but that providers' answers are JSON objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

EMPTY = "empty_answer"
FILTERED = "content_filter"
_REFUSALS = (FILTERED, "refusal")
_CONTENT = ("content", "tool_calls", "function_call", "audio")


def flaw_of(body: Mapping[str, Any]) -> str | None:
    """Why an answer is no success; None where it is one. One good choice of several is enough."""
    flaw = EMPTY
    for choice in _objects(body.get("choices")):
        if _is_refused(choice):
            flaw = FILTERED
        elif _has_content(choice.get("message")):
            return None
    return flaw


def flaw_of_stream(chunks: Iterable[Mapping[str, Any]]) -> str:
    """Why a stream that ended without content is no success."""
    choices = (choice for chunk in chunks for choice in _objects(chunk.get("choices")))
    return FILTERED if any(map(_is_refused, choices)) else EMPTY


def has_content(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk brings text for the reader, or a piece of a tool call, and no filter cuts it."""
    return any(
        _has_content(choice.get("delta")) and not _is_refused(choice)
        for choice in _objects(chunk.get("choices"))
    )


def _is_refused(choice: Mapping[str, Any]) -> bool:
    return choice.get("finish_reason") in _REFUSALS


def _has_content(message: Any) -> bool:
    return isinstance(message, dict) and any(message.get(name) for name in _CONTENT)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    entries = value if isinstance(value, list) else []
    return (entry for entry in entries if isinstance(entry, dict))
