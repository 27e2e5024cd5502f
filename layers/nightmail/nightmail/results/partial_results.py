"""What is there of a batch's results while it runs, and behind that what has come since.

Each line comes once, when its outcome is final: a chunk's as they are answered, a shard's when it is over.
Parts come in the order of their numbers, and those first of which a page before has shown something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import NotFound
from nightmail.outcome import number_of, result_line
from nightmail.part import Ending, Part
from nightmail.results.line_outcomes import InOrder, Position, cut_with_ends
from nightmail.results.owed import Owed
from nightmail.results.page import Page, PageDraft, PageIsFull, from_text, to_text, wrong_cursor
from nightmail.stores.objects import ObjectStore

# Of chunks that are begun and not over: each is a place in the cursor.
_MOST_BEGUN = 64
_OPEN_BYTES = 8 * 1024 * 1024  # of which a page is a part
_Offset = Annotated[int, Field(ge=0)]


class _Sorted(BaseModel):
    """How far a part that is over has been read in the order of its lines."""

    part: str
    index: _Offset = 0
    runs: list[_Offset] = Field(default_factory=list)


class _Cursor(BaseModel):
    """Parts are called by track, round and number: `shard.0` and 17. `done` has ranges of the numbers
    of parts that have been read to their ends, `logs` the bytes that have been read of chunks' logs.
    """

    v: Literal[1] = 1
    batch: str
    done: dict[str, list[tuple[int, int]]] = Field(default_factory=dict)
    logs: dict[str, _Offset] = Field(default_factory=dict)
    sorted: _Sorted | None = None


def read_on(  # noqa: PLR0917 - the API is given it as a function
    batch: Batch,
    parts: Sequence[Part],
    cursor: str | None,
    limit: int,
    most_bytes: int,
    objects: ObjectStore,
) -> Page:
    """The next lines behind `cursor`, as the result files have them: at most `limit`, of `most_bytes`
    bytes together, but one at least where there is one.

    `parts` are the batch's, and were read after it. Raises InvalidRequest where the cursor is none of
    this batch, and NotFound where an object is gone: of a running batch, because it has just been joined
    with others.
    """
    mark = batch.id[-8:]
    begun = from_text(cursor, _Cursor) if cursor else _Cursor(batch=mark)
    if begun.batch != mark:
        raise wrong_cursor()
    return _Reading(batch, begun, PageDraft(limit, most_bytes), objects).page(parts)


class _Reading:
    def __init__(
        self, batch: Batch, cursor: _Cursor, draft: PageDraft, objects: ObjectStore
    ) -> None:
        self._batch = batch
        self._draft = draft
        self._objects = objects
        self._logs = dict(cursor.logs)
        self._sorted = cursor.sorted
        self._before = cursor.done
        self._done: set[str] = set()

    def page(self, parts: Sequence[Part]) -> Page:
        """Raises as `read_on` does."""
        try:
            is_last = self._read_all(part for part in parts if not self._was_done(part))
        except NotFound:
            if not self._draft.lines:
                raise
            is_last = False
        except (LookupError, ValueError) as error:  # made up: it points into the midst of a line
            raise wrong_cursor() from error
        return Page(self._draft.lines, to_text(self._cursor(parts)), is_last)

    def _read_all(self, parts: Iterable[Part]) -> bool:
        """Whether all that is there has been read."""
        is_last = True
        try:
            for part in sorted(parts, key=self._turn):
                is_last &= self._read(part)
        except PageIsFull:
            return False
        return is_last

    def _turn(self, part: Part) -> int:
        """What is begun comes first, so that there is never much of it."""
        name = _name(part)
        return 0 if self._is_sorted(name) else 1 if name in self._logs else 2

    def _read(self, part: Part) -> bool:
        """Whether all that is there of it has been read. Raises PageIsFull."""
        name = _name(part)
        if isinstance(part, Chunk) and not self._is_sorted(name):
            if self._is_held_back(part, name):
                return False
            self._read_log(part, name)
        if part.is_over:
            self._read_sorted(part, name)
            self._logs.pop(name, None)
            self._sorted = None
            self._done.add(name)
        return True

    def _is_held_back(self, chunk: Chunk, name: str) -> bool:
        is_new = name not in self._logs and not chunk.is_over
        return is_new and bool(chunk.log) and len(self._logs) >= _MOST_BEGUN

    def _was_done(self, part: Part) -> bool:
        ranges = self._before.get(_group(part), [])
        return any(first <= part.number <= last for first, last in ranges)

    def _is_sorted(self, name: str) -> bool:
        return self._sorted is not None and self._sorted.part == name

    def _read_log(self, chunk: Chunk, name: str) -> None:
        offset, size = self._logs.get(name, 0), sum(segment.size for segment in chunk.log)
        if offset >= size:
            return
        rows = self._rows(chunk, offset)
        custom_ids = self._custom_ids(chunk, {number_of(row) for row, _ in rows})
        for row, end in rows:
            number = number_of(row)
            self._draft.add(result_line(self._batch.id, number, custom_ids[number], row))
            self._logs[name] = end
        if self._logs[name] < size:
            raise PageIsFull

    def _rows(self, chunk: Chunk, offset: int) -> list[tuple[bytes, int]]:
        """As many as there may be room for, and their ends."""
        found: list[tuple[bytes, int]] = []
        lines_left, bytes_left = self._draft.lines_left, self._draft.bytes_left
        for row, end in cut_with_ends(self._objects.chunks(chunk.log, offset), offset):
            found.append((row + b"\n", end))
            lines_left, bytes_left = lines_left - 1, bytes_left - len(row)
            if lines_left < 0 or bytes_left < 0:
                break
        return found

    def _custom_ids(self, chunk: Chunk, numbers: set[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for row, _ in cut_with_ends(self._objects.chunks(chunk.index), 0):
            number, _, _, custom_id = row.split(b" ", 3)
            if int(number) in numbers:
                found[int(number)] = custom_id
        return found

    def _read_sorted(self, part: Part, name: str) -> None:
        """All lines of a shard; of a chunk, those that its log has not."""
        if isinstance(part, Chunk) and part.ending is Ending.COMPLETED:
            return
        at = self._sorted if self._sorted and self._is_sorted(name) else _Sorted(part=name)
        if at.runs and len(at.runs) != len(part.runs):
            raise wrong_cursor()
        place = Position(index=at.index, runs=at.runs)
        lines = InOrder([part], [place], self._objects, _OPEN_BYTES)
        owed = Owed(part)
        for number, _, custom_id, row in lines:
            if row is None or not isinstance(part, Chunk):
                outcome = row or owed.row(number)
                self._draft.add(result_line(self._batch.id, number, custom_id, outcome))
            (position,) = lines.positions()
            self._sorted = _Sorted(part=name, index=position.index, runs=position.runs)

    def _cursor(self, parts: Sequence[Part]) -> _Cursor:
        done = [part for part in parts if _name(part) in self._done or self._was_done(part)]
        groups = groupby(sorted(done, key=_place), key=_group)
        return _Cursor(
            batch=self._batch.id[-8:],
            done={group: _ranges(part.number for part in some) for group, some in groups},
            logs=self._logs,
            sorted=self._sorted,
        )


def _name(part: Part) -> str:
    return f"{_group(part)}.{part.number}"


def _group(part: Part) -> str:
    return f"{part.track}.{part.round}"


def _place(part: Part) -> tuple[str, int]:
    return _group(part), part.number


def _ranges(numbers: Iterator[int]) -> list[tuple[int, int]]:
    """Rising numbers as ranges, both ends included."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
