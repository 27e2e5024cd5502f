"""The outcomes of a chunk in the bucket: sorted runs, each written once.

They are the truth: whoever takes a chunk over reads what is there, also what a worker wrote that died
before it could say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from nightmail.usage import Usage
from nightmail.chunk import Chunk
from nightmail.outcome import Kind, answer_in, kind_of, number_of
from nightmail.steps.line_outcomes import merged_rows
from nightmail.stores.objects import ObjectStore
from nightmail.usage import usage_of
from nightmail.work_keys import chunk_folder, runs_prefix

_MOST_RUNS = 16  # each is a stream when they are merged


@dataclass(frozen=True, slots=True)
class Finished:
    """One line's outcome, as a row, and what it used."""

    row: bytes
    usage: Usage

    @classmethod
    def of_row(cls, row: bytes) -> Finished:
        is_answer = kind_of(row) is Kind.ANSWERED
        return cls(row, usage_of(answer_in(row)) if is_answer else Usage())


class ChunkRuns:
    """Reads what is there; then `add` and `book`."""

    def __init__(self, chunk: Chunk, objects: ObjectStore) -> None:
        self._objects = objects
        self._prefix = runs_prefix(chunk_folder(chunk.batch_id, chunk.number))
        self._runs = list(objects.segments(self._prefix))
        self._completed = 0
        self._usage = Usage()
        self.numbers: set[int] = set()
        self._count(Finished.of_row(row) for row in merged_rows(self._runs, objects))

    def add(self, finished: Sequence[Finished]) -> None:
        """Write what has finished. It is safe when this returns."""
        rows = sorted(each.row for each in finished)
        self._runs.append(self._objects.put(self._new_key(), b"".join(rows)))
        self._count(finished)

    def book(self, chunk: Chunk) -> Chunk:
        """The chunk with its outcomes and figures."""
        return chunk.changed(
            runs=list(self._runs),
            completed=self._completed,
            failed=len(self.numbers) - self._completed,
            usage=self._usage,
        )

    def merge(self) -> list[str]:
        """Make one of many. Answers the keys that nobody needs when the chunk has been written."""
        if len(self._runs) < _MOST_RUNS:
            return []
        merged, old = self._objects.writer(self._new_key()), self._runs
        for row in merged_rows(old, self._objects):
            merged.write(row)
        self._runs = [merged.complete()]
        return [run.key for run in old]

    def _count(self, finished: Iterable[Finished]) -> None:
        for each in finished:
            number = number_of(each.row)
            if number in self.numbers:  # it was written, and whoever wrote it was not told
                continue
            self.numbers.add(number)
            self._completed += kind_of(each.row) is Kind.ANSWERED
            self._usage += each.usage

    def _new_key(self) -> str:
        return f"{self._prefix}{uuid4().hex}.jsonl"
