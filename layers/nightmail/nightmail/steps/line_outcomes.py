"""The outcomes of a batch's lines in the order of the input; one piece of each open run in memory."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from nightmail.file import Segment
from nightmail.lines import cut_lines
from nightmail.outcome import number_of
from nightmail.part import Part
from nightmail.stores.objects import ObjectStore

_Row = tuple[bytes, int, int]  # the row, its run, the offset behind it


class Position(BaseModel):
    """How far a part's streams have been read: bytes of its index, and of each run."""

    index: int = 0
    runs: list[int] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    """A line and its outcome's row; `row` is None for a line that is owed one."""

    number: int
    part: int
    custom_id: bytes
    row: bytes | None
    behind: Position


def in_order(
    parts: Sequence[Part], positions: Sequence[Position], objects: ObjectStore
) -> Iterator[Answered]:
    """Every line of `parts` from `positions` on; `part` is the place in the sequence.

    The lines of different parts may stand between each other. A part is opened when its first line's
    turn comes, so of parts that follow each other one is open at a time.
    """
    unopened = [(part.first, place, None) for place, part in enumerate(parts)]
    ahead: list[tuple[int, int, _Opened | None]] = sorted(unopened, key=lambda each: each[:2])
    while ahead:
        _, place, opened = heapq.heappop(ahead)
        if opened is None:
            lines = _lines_of(parts[place], place, positions[place], objects)
        else:
            yield opened.line
            lines = opened.rest
        for line in lines:
            if ahead and line.number > ahead[0][0]:
                heapq.heappush(ahead, (line.number, place, _Opened(line, lines)))
                break
            yield line


@dataclass(frozen=True, slots=True)
class _Opened:
    """A part whose next line waits for its turn."""

    line: Answered
    rest: Iterator[Answered]


def line_numbers(objects: ObjectStore, part: Part) -> array[int]:
    """The line numbers of a part, in order."""
    rows = (raw.content for raw in cut_lines(objects.chunks(part.index)))
    return array("Q", (int(row.split(b" ", 1)[0]) for row in rows if row))


def merged_rows(runs: Sequence[Segment], objects: ObjectStore) -> Iterator[bytes]:
    """The rows of sorted runs as one, the best outcome of each line alone."""
    last = -1
    for row, _, _ in _merged(runs, [0] * len(runs), objects):
        number = number_of(row)
        if number != last:
            last = number
            yield row


def _lines_of(
    part: Part, place: int, position: Position, objects: ObjectStore
) -> Iterator[Answered]:
    offsets = position.runs or [0] * len(part.runs)
    rows = _merged(part.runs, offsets, objects)
    row = next(rows, None)
    for entry in cut_lines(objects.chunks(part.index, position.index), position.index):
        number_text, custom_id = (entry.content or b"").split(b" ", 1)
        number, found = int(number_text), None
        while row and number_of(row[0]) <= number:
            if number_of(row[0]) == number and found is None:
                found = row[0]
            offsets = [*offsets[: row[1]], row[2], *offsets[row[1] + 1 :]]
            row = next(rows, None)
        behind = Position.model_construct(index=entry.end, runs=offsets)
        yield Answered(number, place, custom_id, found, behind)


def _merged(
    runs: Sequence[Segment], offsets: Sequence[int], objects: ObjectStore
) -> Iterator[_Row]:
    return heapq.merge(
        *(_rows_of(run, place, offsets[place], objects) for place, run in enumerate(runs))
    )


def _rows_of(run: Segment, place: int, start: int, objects: ObjectStore) -> Iterator[_Row]:
    for raw in cut_lines(objects.chunks([run], start), start):
        yield (raw.content or b"") + b"\n", place, raw.end
