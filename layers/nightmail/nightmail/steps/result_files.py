"""Writes a batch's output file and error file, each in the order of the input."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, RequestCounts
from nightmail.errors import NotFound, StorageUnavailable, WriteConflict
from nightmail.file import StoredFile
from nightmail.ids import new_file_id
from nightmail.outcome import Kind, Outcome, kind_of, result_line, to_row
from nightmail.part import OWED, Ending, Part
from nightmail.steps.line_outcomes import Position, in_order
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
        self._positions = written.positions or [Position() for _ in parts]
        self._counts = written.counts
        self._output = self._writer(written.output_id, written.output)
        self._errors = self._writer(written.error_id, written.errors)

    def run(self, time_is_up: TimeIsUp) -> bool:
        """Whether every line has been written."""
        owed = [_Owed(part) for part in self._parts]
        lines = in_order(self._parts, self._positions, self._objects)
        for line in lines:
            row = line.row or owed[line.part].row(line.number)
            self._write(row, result_line(self._batch.id, line.number, line.custom_id, row))
            self._positions[line.part] = line.behind
            if time_is_up():
                return False
        return True

    def suspend(self) -> Written:
        return self._written.model_copy(
            update={
                "output": self._output.suspend(),
                "errors": self._errors.suspend(),
                "positions": self._positions,
                "counts": self._counts,
            }
        )

    def finish(self, stores: Stores, now: int) -> ResultFiles:
        """Complete the objects first, then their records: what has an id can be read."""
        return ResultFiles(
            output_file_id=self._finish("output", self._output, stores, now),
            error_file_id=self._finish("error", self._errors, stores, now),
            counts=self._counts,
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

    def _write(self, row: bytes, line: bytes) -> None:
        self._counts.total += 1
        if kind_of(row) is Kind.ANSWERED:
            self._counts.completed += 1
            self._output.write(line)
        else:
            self._counts.failed += 1
            self._errors.write(line)

    def _writer(self, file_id: str, suspended: Suspended | None) -> MultipartWriter:
        if suspended:
            return self._objects.resume(suspended)
        return self._objects.writer(f"files/{self._batch.owner}/{file_id}")


class _Owed:
    """What a line of a part is told when no outcome came for it."""

    def __init__(self, part: Part) -> None:
        self._own = {error.line: _told(error) for error in part.errors if error.line}
        general = (_told(error) for error in part.errors if not error.line)
        self._general = next(general, OWED[part.ending or Ending.LOST])

    def row(self, number: int) -> bytes:
        error = self._own.get(number, self._general)
        return to_row(Outcome(number, Kind.FAILED, error=error))


def _told(error: BatchError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
