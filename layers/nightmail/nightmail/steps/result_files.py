"""Writes a batch's output file and error file, each in the order of the input."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from nightmail.batch import Batch, RequestCounts
from nightmail.errors import NotFound, StorageUnavailable, WriteConflict
from nightmail.file import StoredFile
from nightmail.ids import new_file_id
from nightmail.outcome import is_answered, result_line
from nightmail.part import Part
from nightmail.results.line_outcomes import InOrder, Position
from nightmail.results.owed import Owed
from nightmail.steps.waits import Clock, TimeIsUp
from nightmail.stores.multipart import MultipartWriter, Suspended
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.work_keys import results_key

_KEEP_SECONDS = 30 * 24 * 3600


class Written(BaseModel):
    """How far the files are. The ids are chosen first, so that a second run writes the same files."""

    v: int = 1
    output_id: str
    error_id: str
    output: Suspended | None = None
    errors: Suspended | None = None
    positions: list[Position] = Field(default_factory=list)
    counts: RequestCounts = Field(default_factory=RequestCounts)


class ResultFiles(BaseModel):
    """What was written; a file with no lines is not made."""

    output_file_id: str | None
    error_file_id: str | None
    counts: RequestCounts


def write_result_files(
    batch: Batch, parts: Sequence[Part], stores: Stores, clock: Clock, time_is_up: TimeIsUp
) -> ResultFiles | None:
    """The files, or None where time was up: call again. Every line of `parts` is in one of them."""
    key = results_key(batch.id)
    written = _begin_or_resume(key, stores.objects)
    try:
        writing = _Writing(batch, parts, stores.objects, written)
        if not writing.run(time_is_up):
            stores.objects.put(key, _to_bytes(writing.suspend()))
            return None
        return writing.finish(stores, clock())
    except NotFound as error:  # a run that died had come further than it could say: begin again
        anew = Written(output_id=written.output_id, error_id=written.error_id)
        stores.objects.put(key, _to_bytes(anew))
        raise StorageUnavailable("The result files are written anew.") from error


def _begin_or_resume(key: str, objects: ObjectStore) -> Written:
    begun = Written(output_id=new_file_id(), error_id=new_file_id())
    try:
        objects.put_if_absent(key, _to_bytes(begun))
    except WriteConflict:
        return Written.model_validate_json(objects.get(key))
    return begun


def _to_bytes(written: Written) -> bytes:
    return written.model_dump_json().encode()


class _Writing:
    def __init__(
        self, batch: Batch, parts: Sequence[Part], objects: ObjectStore, written: Written
    ) -> None:
        self._batch = batch
        self._parts = parts
        self._objects = objects
        self._written = written
        self._completed = written.counts.completed
        self._failed = written.counts.failed
        positions = written.positions or [Position() for _ in parts]
        self._lines = InOrder(parts, positions, objects)
        self._output = self._writer(written.output_id, written.output)
        self._errors = self._writer(written.error_id, written.errors)

    def run(self, time_is_up: TimeIsUp) -> bool:
        """Whether every line has been written."""
        owed = [Owed(part) for part in self._parts]
        for number, place, custom_id, outcome in self._lines:
            row = outcome or owed[place].row(number)
            line = result_line(self._batch.id, number, custom_id, row)
            if is_answered(row):
                self._completed += 1
                self._output.write(line)
            else:
                self._failed += 1
                self._errors.write(line)
            if time_is_up():
                return False
        return True

    def suspend(self) -> Written:
        return self._written.model_copy(
            update={
                "output": self._output.suspend(),
                "errors": self._errors.suspend(),
                "positions": self._lines.positions(),
                "counts": self._counts(),
            }
        )

    def finish(self, stores: Stores, now: int) -> ResultFiles:
        """Complete the objects first, then their records: what has an id can be read."""
        return ResultFiles(
            output_file_id=self._finish("output", self._output, stores, now),
            error_file_id=self._finish("error", self._errors, stores, now),
            counts=self._counts(),
        )

    def _counts(self) -> RequestCounts:
        return RequestCounts(
            total=self._completed + self._failed, completed=self._completed, failed=self._failed
        )

    def _finish(self, name: str, writer: MultipartWriter, stores: Stores, now: int) -> str | None:
        if not writer.size:
            return None
        segment = writer.complete()
        keep = self._batch.output_expires_after
        file = StoredFile(
            id=segment.key.rsplit("/", 1)[1],
            owner=self._batch.owner,
            bytes=segment.size,
            created_at=now,
            expires_at=now + (keep.seconds if keep else _KEEP_SECONDS),
            filename=f"{self._batch.id}_{name}.jsonl",
            purpose="batch_output",
            segments=[segment],
        )
        stores.files.create(file)
        return file.id

    def _writer(self, file_id: str, suspended: Suspended | None) -> MultipartWriter:
        if suspended:
            return self._objects.resume(suspended)
        return self._objects.writer(f"files/{self._batch.owner}/{file_id}")
