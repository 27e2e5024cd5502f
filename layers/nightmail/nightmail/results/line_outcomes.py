"""The outcomes of a batch's lines in the order of the input.

Objects are read by ranges, a block of each that is open at a time: the more are open, the smaller the
blocks. They come to 32 MB together, or a few times as much while hundreds of objects are being opened.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field

from nightmail.file import Segment
from nightmail.outcome import number_of
from nightmail.part import Part
from nightmail.stores.objects import CHUNK_BYTES, ObjectStore

OPEN_BYTES = 32 * 1024 * 1024
_SMALLEST_BLOCK = 16 * 1024

_Row = tuple[bytes, int, int]  # the row without its newline, its run, the offset behind it


class Position(BaseModel):
    """How far a part's objects have been read: bytes of its index, and of each run."""

    index: int = 0
    runs: list[int] = Field(default_factory=list)


class Answered(NamedTuple):
    """A line of the part at that place, and its outcome's row; None for a line that is owed one."""

    number: int
    part: int
    custom_id: bytes
    row: bytes | None


class _Entry(NamedTuple):
    """A line of one part, and the offsets behind it; `run` is None where it has no row."""

    number: int
    custom_id: bytes
    row: bytes | None
    index_end: int
    run: int | None
    run_end: int


class InOrder:
    """Every line of `parts` from `positions` on, ordered by its number; `positions` are moved along.

    The lines of different parts may stand between each other. A part is opened when its first line's
    turn comes, so of parts that follow each other one is open at a time.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        positions: Sequence[Position],
        objects: ObjectStore,
        open_bytes: int = OPEN_BYTES,
    ) -> None:
        self._parts = parts
        self._objects = objects
        self._open_bytes = open_bytes
        self._index = [position.index for position in positions]
        self._runs = [
            list(position.runs or [0] * len(part.runs))
            for part, position in zip(parts, positions, strict=True)
        ]
        self._open_streams = 0

    def positions(self) -> list[Position]:
        """Where to go on behind the line that came last."""
        places = zip(self._index, self._runs, strict=True)
        return [Position(index=index, runs=list(runs)) for index, runs in places]

    def __iter__(self) -> Iterator[Answered]:
        waiting: list[tuple[int, int, _Entry | None, Iterator[_Entry]]] = [
            (part.first, place, None, self._entries(place))
            for place, part in enumerate(self._parts)
        ]
        heapq.heapify(waiting)
        while waiting:
            _, place, entry, entries = heapq.heappop(waiting)
            turn = waiting[0][0] if waiting else math.inf
            if entry is None:
                entry = next(entries, None)
            while entry is not None:
                if entry.number > turn:
                    heapq.heappush(waiting, (entry.number, place, entry, entries))
                    break
                number, custom_id, row, self._index[place], run, end = entry
                if run is not None:
                    self._runs[place][run] = end
                yield Answered(number, place, custom_id, row)
                entry = next(entries, None)

    def _entries(self, place: int) -> Iterator[_Entry]:
        part, index_start = self._parts[place], self._index[place]
        self._open_streams += 1 + len(part.runs)
        rows = self._merged(part.runs, list(self._runs[place]))
        row, run, run_end = next(rows, (b"", 0, 0))
        row_number = number_of(row) if row else math.inf
        for index_row, end in self._lines(part.index, index_start):
            number_text, _, _, custom_id = index_row.split(b" ", 3)
            number = int(number_text)
            while row_number < number:
                row, run, run_end = next(rows, (b"", 0, 0))
                row_number = number_of(row) if row else math.inf
            if row_number == number:
                yield _Entry(number, custom_id, row + b"\n", end, run, run_end)
            else:
                yield _Entry(number, custom_id, None, end, None, 0)
        self._open_streams -= 1 + len(part.runs)

    def _merged(self, runs: Sequence[Segment], offsets: Sequence[int]) -> Iterator[_Row]:
        """The rows of all runs, sorted: the best outcome of a line first."""
        streams = [self._rows(run, place, offsets[place]) for place, run in enumerate(runs)]
        return streams[0] if len(streams) == 1 else iter(heapq.merge(*streams))

    def _rows(self, run: Segment, place: int, start: int) -> Iterator[_Row]:
        for row, end in self._lines([run], start):
            yield row, place, end

    def _lines(self, segments: Sequence[Segment], start: int) -> Iterator[tuple[bytes, int]]:
        return cut_with_ends(self._blocks(segments, start), start)

    def _blocks(self, segments: Sequence[Segment], start: int) -> Iterator[bytes]:
        size = sum(segment.size for segment in segments)
        while start < size:
            block_bytes = max(_SMALLEST_BLOCK, self._open_bytes // max(1, self._open_streams))
            end = start + min(block_bytes, CHUNK_BYTES)
            yield from self._objects.pieces(segments, start, end)
            start = end


def line_numbers(objects: ObjectStore, part: Part) -> array[int]:
    """The line numbers of a part, in order."""
    rows = cut_with_ends(objects.chunks(part.index), 0)
    return array("Q", (int(row.split(b" ", 1)[0]) for row, _ in rows))


def cut_with_ends(blocks: Iterable[bytes], start: int) -> Iterator[tuple[bytes, int]]:
    """The lines of a stream that begins at offset `start`, without newlines, and the offsets behind."""
    begun: list[bytes] = []
    end = start
    for block in blocks:
        first, *others = block.split(b"\n")
        begun.append(first)
        if not others:
            continue
        *whole, rest = [b"".join(begun), *others]
        begun = [rest]
        for line in whole:
            end += len(line) + 1
            yield line, end
    last = b"".join(begun)
    if last:
        yield last, end + len(last)
