"""Writes a batch's output file and error file, each in the order of the input."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, RequestCounts
from nightmail.errors import NotFound, StorageUnavailable, WriteConflict
from nightmail.file import StoredFile
from nightmail.ids import new_file_id
from nightmail.outcome import Kind, Outcome, kind_of, result_line, to_row
from nightmail.shard import OWED, Ending, Shard
from nightmail.steps.again import Clock, TimeIsUp
from nightmail.steps.shard_outcomes import Position, in_order
from nightmail.stores.multipart import MultipartWriter, Suspended
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores

_KEEP_SECONDS = 30 * 24 * 3600


class Progress(BaseModel):
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
    batch: Batch, shards: Sequence[Shard], stores: Stores, clock: Clock, time_is_up: TimeIsUp
) -> ResultFiles | None:
    """The files, or None where time was up: call again. Every line of `shards` is in one of them."""
    key = f"work/{batch.id}/results.json"
    progress = _begin_or_resume(key, stores.objects)
    try:
        writing = _Writing(batch, shards, stores.objects, progress)
        if not writing.run(time_is_up):
            stores.objects.put(key, _to_bytes(writing.suspend()))
            return None
        return writing.finish(stores, clock())
    except NotFound as error:  # a run that died had come further than it could say: begin again
        anew = Progress(output_id=progress.output_id, error_id=progress.error_id)
        stores.objects.put(key, _to_bytes(anew))
        raise StorageUnavailable("The result files are written anew.") from error


def _begin_or_resume(key: str, objects: ObjectStore) -> Progress:
    begun = Progress(output_id=new_file_id(), error_id=new_file_id())
    try:
        objects.put_if_absent(key, _to_bytes(begun))
    except WriteConflict:
        return Progress.model_validate_json(objects.get(key))
    return begun


def _to_bytes(progress: Progress) -> bytes:
    return progress.model_dump_json().encode()


class _Writing:
    def __init__(
        self, batch: Batch, shards: Sequence[Shard], objects: ObjectStore, progress: Progress
    ) -> None:
        self._batch = batch
        self._shards = shards
        self._objects = objects
        self._progress = progress
        self._positions = progress.positions or [Position() for _ in shards]
        self._counts = progress.counts
        self._output = self._writer(progress.output_id, progress.output)
        self._errors = self._writer(progress.error_id, progress.errors)

    def run(self, time_is_up: TimeIsUp) -> bool:
        """Whether every line has been written."""
        owed = [_Owed(shard) for shard in self._shards]
        lines = in_order(self._shards, self._positions, self._objects)
        for line in lines:
            row = line.row or owed[line.shard].row(line.number)
            self._write(row, result_line(self._batch.id, line.number, line.custom_id, row))
            self._positions[line.shard] = line.behind
            if time_is_up():
                return False
        return True

    def suspend(self) -> Progress:
        return self._progress.model_copy(
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
    """What a line of a shard is told when no outcome came for it."""

    def __init__(self, shard: Shard) -> None:
        self._own = {error.line: _told(error) for error in shard.errors if error.line}
        general = (_told(error) for error in shard.errors if not error.line)
        self._general = next(general, OWED[shard.ending or Ending.LOST])

    def row(self, number: int) -> bytes:
        error = self._own.get(number, self._general)
        return to_row(Outcome(number, Kind.FAILED, error=error))


def _told(error: BatchError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
