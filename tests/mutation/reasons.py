"""Why a change may survive: the lists of the note, as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.mutation.survivors import Survivor

_ITEM = re.compile(
    r"^- `(?P<function>[\w.*]+)`: (?P<fragments>`[^`]+`(?:, `[^`]+`)*)\.", re.MULTILINE
)


@dataclass(frozen=True)
class Reason:
    """A change of `function` (a pattern: `cohere.fields.*`) that brings `fragment` into the code."""

    function: str
    fragment: str

    def fits(self, mutant: Survivor) -> bool:
        is_new = self.fragment in mutant.after and self.fragment not in mutant.before
        return is_new and fnmatchcase(mutant.function, self.function)


def read_reasons(note: str) -> Iterator[Reason]:
    """Items of the form: - `cohere.answer._count`: `0 <= value`. And why that is no gap."""
    for item in _ITEM.finditer(note):
        for fragment in re.findall(r"`([^`]+)`", item["fragments"]):
            yield Reason(item["function"], fragment)
