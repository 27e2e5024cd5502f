"""State PlanBatch: read the input once, check every line, cut it into parts. Nothing is sent yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, BatchStatus, RequestCounts
from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.errors import ConfigError, NotFound, StorageUnavailable
from nightmail.file import StoredFile
from nightmail.lines import MAX_LINE_BYTES, RawLine, cut_lines
from nightmail.part import Part, refused_by, why_to_stop
from nightmail.payloads import BatchTask, Next, PlanResult
from nightmail.providers.base import ProviderOf
from nightmail.steps.duplicates import CustomIds
from nightmail.steps.handed_over import with_answered
from nightmail.steps.input_checks import (
    Findings,
    InputChecks,
    InputRefused,
    PlanLimits,
    check_file,
    refuse,
)
from nightmail.steps.lanes import Lanes
from nightmail.steps.part_writer import Draft, PartWriter, Planned
from nightmail.steps.waits import Clock, TimeIsUp
from nightmail.stores.stores import Stores
from nightmail.work_keys import chunk_items_key, custom_ids_key, plan_key, shard_items_key

DeploymentsOf = Callable[[str, str | None], list[Deployment]]


@dataclass(frozen=True)
class Planner:
    """What planning needs of the world."""

    stores: Stores
    deployments_of: DeploymentsOf
    provider_of: ProviderOf
    limits: PlanLimits


class PlanCursor(BaseModel):
    """Where planning stopped: bytes and lines read, what they showed, and the parts so far."""

    v: int = 1
    offset: int = 0
    number: int = 0
    findings: Findings = Field(default_factory=Findings)
    planned: Planned = Field(default_factory=Planned)
    draft: Draft | None = None


def plan_batch(task: BatchTask, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> PlanResult:
    """Where to go next: MORE, PARTS, FINALIZE (it was cancelled), FAILED, or DONE (it is gone)."""
    batch = planner.stores.batches.find(task.owner, task.batch_id)
    step = _step(batch, planner, clock, time_is_up) if batch else Next.DONE
    planned = planner.stores.batches.find(task.owner, task.batch_id) if step is Next.PARTS else None
    return PlanResult(
        next=step,
        concurrency=planner.limits.concurrency,
        shards=planned.shards if planned else 0,
        chunks=planned.chunks if planned else 0,
    )


def _step(batch: Batch, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> Next:
    settled = _settled(batch, clock())
    if settled:
        return settled
    plan = _Plan(batch, planner)
    try:
        if not plan.run(clock(), time_is_up):
            return Next.MORE
        plan.write(clock())
    except InputRefused as refused:
        return _refused(batch, planner, refused.errors)
    except ConfigError as error:
        return _refused(batch, planner, [refused_by(error)])
    except NotFound as error:  # a run that died had come further than it could say: begin again
        plan.forget()
        raise StorageUnavailable("The batch is planned anew.") from error
    return Next.PARTS


def _settled(batch: Batch, now: int) -> Next | None:
    """Where to go without planning: it has ended, is planned already, or wants to end."""
    if batch.status.is_final:
        return Next.DONE
    if batch.status is BatchStatus.IN_PROGRESS:
        return Next.PARTS
    if batch.status is BatchStatus.FINALIZING or why_to_stop(batch, now):
        return Next.FINALIZE
    return None


def _refused(batch: Batch, planner: Planner, errors: list[BatchError]) -> Next:
    planner.stores.batches.save(batch.model_copy(update={"errors": errors}))
    return Next.FAILED


class _Plan:
    """The plan of one batch, as far as it has come."""

    def __init__(self, batch: Batch, planner: Planner) -> None:
        self._batch = batch
        self._planner = planner
        self._stores = planner.stores
        self._lanes = Lanes(batch, planner.provider_of, planner.limits.chunk_lines)
        self._writer: PartWriter | None = None
        self._cursor = self._read_cursor()
        self._ids = self._read_ids()
        self._checks = InputChecks(
            batch.endpoint, planner.limits, self._choose, self._cursor.findings, self._ids
        )

    def run(self, now: int, time_is_up: TimeIsUp) -> bool:
        """Whether the whole file has been read. Raises InputRefused where it can't be run."""
        file = self._file(now)
        objects, cursor = self._stores.objects, self._cursor
        self._reopen_writer()
        chunks = objects.chunks(file.segments, cursor.offset)
        for raw in cut_lines(chunks, cursor.offset, MAX_LINE_BYTES):
            self._take(raw)
            if time_is_up():
                self._suspend()
                return False
        self._checks.finish(lambda: objects.chunks(file.segments))
        return True

    def write(self, now: int) -> None:
        """Make the plan known: the parts' items, the maps' items, then the batch itself."""
        if self._writer:
            self._writer.finish()
        shards, chunks = self._cursor.planned.shards, self._begun(self._cursor.planned.chunks)
        for shard in shards:
            self._stores.parts.shards.plan(shard)
        for chunk in chunks:
            self._stores.parts.chunks.plan(chunk)
        self._write_items(shard_items_key(self._batch.id), "shard", shards)
        self._write_items(chunk_items_key(self._batch.id), "chunk", chunks)
        findings = self._cursor.findings
        self._stores.batches.save(
            self._batch.move_to(
                BatchStatus.IN_PROGRESS,
                now,
                shards=len(shards),
                chunks=len(chunks),
                model=findings.model,
                counts=RequestCounts(total=findings.total),
            )
        )

    def forget(self) -> None:
        """Begin at the first line next time."""
        self._stores.objects.delete([self._key])

    def _file(self, now: int) -> StoredFile:
        file_id = self._batch.input_file_id
        try:
            file = self._stores.files.get(self._batch.owner, file_id, now)
        except NotFound:
            message = f"Cannot find file {file_id}, or you have no access to it."
            refuse("invalid_request", message, "file_id")
        check_file(file, self._planner.limits)
        return file

    def _take(self, raw: RawLine) -> None:
        cursor, start = self._cursor, self._cursor.offset
        cursor.offset, cursor.number = raw.end, cursor.number + 1
        line = self._checks.take(raw.content, cursor.number)
        if line and not cursor.findings.errors:  # a file with errors is read, but not written
            self._open_writer().add(line, start, raw.end)

    def _choose(self, model: str) -> Deployment:
        deployments = self._planner.deployments_of(model, self._batch.deployment_hint)
        return self._lanes.choose(model, deployments)

    def _open_writer(self) -> PartWriter:
        if self._writer is None:
            deployment = self._cursor.findings.deployment
            assert deployment is not None, "a good line has a model that is served"
            self._writer = PartWriter(
                self._batch.id,
                self._lanes.way(deployment),
                self._cursor.planned,
                self._stores.objects,
            )
        return self._writer

    def _reopen_writer(self) -> None:
        if self._cursor.draft:
            self._open_writer().resume(self._cursor.draft)

    def _begun(self, chunks: list[Chunk]) -> list[Chunk]:
        answered = self._batch.answered
        return with_answered(chunks, answered, self._stores.objects) if answered else chunks

    def _write_items(self, key: str, name: str, parts: Sequence[Part]) -> None:
        items = (orjson.dumps({name: part.number}) + b"\n" for part in parts)
        self._stores.objects.put(key, b"".join(items))

    def _suspend(self) -> None:
        cursor = self._cursor
        if self._writer and not cursor.findings.errors:
            cursor.draft = self._writer.suspend()
        self._stores.objects.put(self._ids_key, self._ids.to_bytes())
        self._stores.objects.put(self._key, cursor.model_dump_json().encode())

    def _read_cursor(self) -> PlanCursor:
        try:
            return PlanCursor.model_validate_json(self._stores.objects.get(self._key))
        except NotFound:
            return PlanCursor()

    def _read_ids(self) -> CustomIds:
        if not self._cursor.number:
            return CustomIds()
        return CustomIds.from_bytes(self._stores.objects.get(self._ids_key))

    @property
    def _key(self) -> str:
        return plan_key(self._batch.id)

    @property
    def _ids_key(self) -> str:
        return custom_ids_key(self._batch.id, self._cursor.number)
