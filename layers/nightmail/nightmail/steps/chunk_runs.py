"""What came of a chunk's lines, in the bucket: a log that grows, and in the end the same rows sorted.

The log is the truth: whoever takes a chunk over reads it, and with it what a worker wrote that died before
it could name it in the chunk's item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import uuid4

from nightmail.bill import Bill, summed
from nightmail.chunk import Chunk
from nightmail.cost import UNKNOWN
from nightmail.errors import NotFound
from nightmail.lines import cut_lines
from nightmail.outcome import (
    Kind,
    Outcome,
    bill_of,
    billed,
    is_answered,
    number_of,
    outcome_in,
    to_row,
)
from nightmail.steps.line_set import LineSet
from nightmail.steps.log_segments import size_of, to_join
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import log_prefix, numbers_key, runs_prefix, work_folder

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

RUN_BYTES = 16 * 1024 * 1024
_WORTH_NOTING_BYTES = 1024 * 1024
_OFFSET_BYTES = 8


@dataclass(frozen=True, slots=True)
class Finished:
    """One line's outcome, as a row, and its bill where it is an answer."""

    row: bytes
    bill: Bill | None

    @classmethod
    def of(cls, outcome: Outcome) -> Finished:
        is_answer = outcome.kind is Kind.ANSWERED
        return cls(to_row(outcome), bill_of(outcome) if is_answer else None)

    @classmethod
    def of_row(cls, row: bytes) -> Finished:
        return cls(row, bill_of(outcome_in(row)) if is_answered(row) else None)


class ChunkRuns:
    """Reads what is there. Then `add` what comes, `book` it, and `sort` it when no more will come.

    Memory: a bit for each line of the file, and no more rows than one sorted run takes.
    """

    def __init__(self, chunk: Chunk, objects: ObjectStore) -> None:
        self._objects = objects
        self._folder = work_folder(chunk.batch_id, chunk.track, chunk.number, chunk.round)
        self._log = list(chunk.log)
        self._runs = list(chunk.runs)
        self._completed = chunk.completed
        self._bills = list(chunk.bills)
        self._unsorted: list[bytes] | None = None if chunk.log else []  # as far as it is known
        self._unneeded: list[str] = []
        self.numbers = LineSet()
        """The lines that have an outcome."""
        self._read_numbers()
        self._add_orphans()

    def add(self, finished: Iterable[Finished]) -> None:
        """Write what has finished. It is safe when this returns."""
        new = {number_of(each.row): each for each in finished}
        new = {number: each for number, each in new.items() if number not in self.numbers}
        if not new:
            return
        rows = [each.row for each in new.values()]
        self._log.append(self._objects.put(self._log_key(), b"".join(rows)))
        self.numbers.update(new)
        self._completed += sum(map(is_answered, rows))
        self._bills = summed([*self._bills, *(each.bill for each in new.values() if each.bill)])
        self._remember(rows)

    def join(self) -> None:
        """Make few segments of many; the log's bytes stay where they are."""
        first, behind = to_join(self._log)
        old = self._log[first:behind]
        if not old:
            return
        joined = self._objects.writer(self._log_key())
        for piece in self._objects.chunks(old):
            joined.write(piece)
        self._log[first:behind] = [joined.complete()]
        self._unneeded += [segment.key for segment in old]

    @property
    def is_sorted(self) -> bool:
        """Whether the runs have all that the log has."""
        return size_of(self._runs) == size_of(self._log)

    def sort(self) -> None:
        """Make the next run of what is not sorted yet."""
        rows = self._take_unsorted() or self._rows_from(size_of(self._runs))
        rows.sort()
        key = f"{runs_prefix(self._folder)}{uuid4().hex}.jsonl"
        self._runs.append(self._objects.put(key, b"".join(rows)))

    def book(self, chunk: Chunk) -> Chunk:
        """The chunk with its outcomes and figures."""
        return chunk.changed(
            log=list(self._log),
            runs=list(self._runs),
            completed=self._completed,
            failed=len(self.numbers) - self._completed,
            bills=list(self._bills),
        )

    def clear(self) -> None:
        """Delete what nobody needs, once the chunk has been written."""
        unneeded, self._unneeded = self._unneeded, []
        self._objects.delete(unneeded)

    def _read_numbers(self) -> None:
        """Of the log only what came since somebody last noted the numbers of its lines."""
        noted, self.numbers = self._noted()
        self.numbers.update(map(number_of, _rows(self._objects.chunks(self._log, noted))))
        size = size_of(self._log)
        if size - noted > _WORTH_NOTING_BYTES:
            note = size.to_bytes(_OFFSET_BYTES, "little") + self.numbers.to_bytes()
            self._objects.put(self._numbers_key, note)

    def _noted(self) -> tuple[int, LineSet]:
        if size_of(self._log) <= _WORTH_NOTING_BYTES:
            return 0, LineSet()
        try:
            note = self._objects.get(self._numbers_key)
        except NotFound:
            return 0, LineSet()
        size = int.from_bytes(note[:_OFFSET_BYTES], "little")
        return size, LineSet.from_bytes(note[_OFFSET_BYTES:])

    def _add_orphans(self) -> None:
        named = {segment.key for segment in self._log}
        found = self._objects.segments(log_prefix(self._folder))
        for orphan in [segment for segment in found if segment.key not in named]:
            rows = _rows(self._objects.chunks([orphan]))
            self.add(Finished.of_row(row) for row in rows if number_of(row) not in self.numbers)
            self._unneeded.append(orphan.key)

    def _remember(self, rows: list[bytes]) -> None:
        """A chunk that fits into one run need not be read again to be sorted."""
        if self._unsorted is not None:
            self._unsorted += rows
            if size_of(self._log) > RUN_BYTES:
                self._unsorted = None

    def _take_unsorted(self) -> list[bytes] | None:
        rows, self._unsorted = self._unsorted, None
        return rows

    def _rows_from(self, start: int) -> list[bytes]:
        rows: list[bytes] = []
        size = 0
        for row in _rows(self._objects.chunks(self._log, start)):
            size += len(row)
            if rows and size > RUN_BYTES:
                break
            rows.append(row)
        return rows

    def _log_key(self) -> str:
        return f"{log_prefix(self._folder)}{uuid4().hex}.jsonl"

    @property
    def _numbers_key(self) -> str:
        return numbers_key(self._folder)


def begun(chunk: Chunk, rows: Iterable[bytes], objects: ObjectStore, pricer: Pricer) -> Chunk:
    """The chunk when these of its lines have been answered by a request that it goes on with.

    What they cost is not in their rows yet. Called again, it writes the same.
    """
    finished = [_priced(row, chunk, pricer) for row in rows]
    content = b"".join(each.row for each in finished)
    completed = sum(is_answered(each.row) for each in finished)
    folder = work_folder(chunk.batch_id, chunk.track, chunk.number, chunk.round)
    digest = blake2b(content, digest_size=16).hexdigest()
    return chunk.changed(
        log=[objects.put(f"{log_prefix(folder)}{digest}.jsonl", content)],
        completed=completed,
        failed=len(finished) - completed,
        bills=summed(each.bill for each in finished if each.bill),
    )


def with_outcomes(chunk: Chunk, objects: ObjectStore) -> Chunk:
    """A chunk that nobody goes on with, with all that lies in the bucket, sorted."""
    runs = ChunkRuns(chunk, objects)
    while not runs.is_sorted:
        runs.sort()
    return runs.book(chunk)


def _priced(row: bytes, chunk: Chunk, pricer: Pricer) -> Finished:
    if not is_answered(row):
        return Finished(row, None)
    outcome = outcome_in(row)
    bill = bill_of(outcome)
    asked = [chunk.deployment, *chunk.fallbacks]
    who = [each for each in asked if (each.name, each.provider) == (bill.model, bill.provider)]
    cost = pricer(who[0], "direct", bill.usage) if who else UNKNOWN
    return Finished.of(billed(outcome, "direct", cost))


def _rows(content: Iterable[bytes]) -> Iterator[bytes]:
    for raw in cut_lines(content):
        yield (raw.content or b"") + b"\n"
