"""What a prompt asks of its own answer, in its last text.

[[fail:429]]          a failure with that status; [[fail:500:2]] the first two times only, whoever is
                      asked: the times are counted over all providers, in batches and directly
[[long:300]]          300 words
[[think:50]]          50 tokens of reasoning
[[cached:100]]        100 more tokens of input, read from a cache; [[cached:100:20]] 20 written to it
[[tool]]              a call of the first tool that is offered; [[tool:NAME]], or [[tool:3]]: three
[[empty]], [[refusal]], [[filter]]    a 200 without an answer
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

How = Literal["empty", "refusal", "filter"]
_LEAST_ERROR, _MOST_ERROR = 400, 599
_MARKER = re.compile(r"\[\[(\w+)(?::([\w-]+))?(?::(\d+))?\]\]")


class Marker(NamedTuple):
    first: str | None
    second: str | None


class Markers:
    def __init__(self, text: str) -> None:
        self._found: dict[str, Marker] = {}
        if "[[" in text:
            found = _MARKER.findall(text)
            self._found = {
                name: Marker(first or None, second or None) for name, first, second in found
            }

    @property
    def asks_to_fail(self) -> bool:
        return "fail" in self._found

    def failure(self, attempt: int) -> int | None:
        """The status with which this attempt has to fail, counted from 1."""
        marker, status = self._found.get("fail"), self._number("fail")
        if not marker or status is None or not _LEAST_ERROR <= status <= _MOST_ERROR:
            return None
        return status if marker.second is None or attempt <= int(marker.second) else None

    @property
    def words(self) -> int | None:
        return self._number("long")

    @property
    def thinking(self) -> int:
        return self._number("think") or 0

    @property
    def cached(self) -> int:
        return self._number("cached") or 0

    @property
    def written(self) -> int:
        marker = self._found.get("cached")
        return int(marker.second) if marker and marker.second else 0

    @property
    def calls(self) -> int:
        """How many calls of tools are asked for; none without the marker."""
        return (self._number("tool") or 1) if "tool" in self._found else 0

    @property
    def tool(self) -> str | None:
        marker = self._found.get("tool")
        return marker.first if marker and marker.first and not marker.first.isdecimal() else None

    @property
    def withheld(self) -> How | None:
        hows: tuple[How, ...] = ("empty", "refusal", "filter")
        return next((how for how in hows if how in self._found), None)

    def _number(self, name: str) -> int | None:
        marker = self._found.get(name)
        return int(marker.first) if marker and marker.first and marker.first.isdecimal() else None
