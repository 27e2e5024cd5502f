"""About how many tokens of a streamed answer have come: a stream that breaks tells no usage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

BYTES_PER_TOKEN = 4
_TEXTS = ("content", "reasoning_content", "refusal")


class Received:
    """Counts a token for each piece of text, or for four bytes of it where pieces are longer."""

    __slots__ = ("_bytes", "_pieces")

    def __init__(self) -> None:
        self._bytes = 0
        self._pieces = 0

    def add(self, chunk: Mapping[str, Any]) -> None:
        for choice in _objects(chunk.get("choices")):
            if size := sum(_sizes(choice.get("delta"))):
                self._bytes += size
                self._pieces += 1

    @property
    def tokens(self) -> int:
        return max(self._pieces, self._bytes // BYTES_PER_TOKEN)


def _sizes(delta: Any) -> Iterator[int]:
    """Of its texts, in bytes."""
    if not isinstance(delta, dict):
        return
    functions = (call.get("function") for call in _objects(delta.get("tool_calls")))
    arguments = (each.get("arguments") for each in functions if isinstance(each, dict))
    for text in (*(delta.get(name) for name in _TEXTS), *arguments):
        if isinstance(text, str):
            yield len(text.encode(errors="replace"))


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
