"""State PlanBatch: read the input once, check every line, write the shards. Nothing is sent yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, BatchStatus, RequestCounts
from nightmail.deployment import Deployment
from nightmail.errors import ConfigError, NotFound, StorageUnavailable
from nightmail.file import StoredFile
from nightmail.lines import MAX_LINE_BYTES, RawLine, cut_lines
from nightmail.payloads import BatchTask, Next, PlanResult
from nightmail.providers.base import ProviderOf
from nightmail.providers.registry import has_native_lane
from nightmail.shard import Shard, refused_by, why_to_stop
from nightmail.steps.again import Clock, TimeIsUp
from nightmail.steps.duplicates import CustomIds
from nightmail.steps.input_checks import (
    Findings,
    InputChecks,
    InputRefused,
    PlanLimits,
    check_file,
    refuse,
)
from nightmail.steps.shard_writer import Draft, ShardWriter
from nightmail.stores.stores import Stores

DeploymentsOf = Callable[[str, str | None], list[Deployment]]


@dataclass(frozen=True)
class Planner:
    """What planning needs of the world."""

    stores: Stores
    deployments_of: DeploymentsOf
    provider_of: ProviderOf
    limits: PlanLimits


class Cursor(BaseModel):
    """Where planning stopped: bytes and lines read, what they showed, and the shards so far."""

    v: int = 1
    offset: int = 0
    number: int = 0
    findings: Findings = Field(default_factory=Findings)
    shards: list[Shard] = Field(default_factory=list)
    draft: Draft | None = None


def plan_batch(task: BatchTask, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> PlanResult:
    """Where to go next: MORE, SHARDS, FINALIZE (it was cancelled), FAILED, or DONE (it is gone)."""
    batch = planner.stores.batches.find(task.owner, task.batch_id)
    step = _step(batch, planner, clock, time_is_up) if batch else Next.DONE
    return PlanResult(next=step, concurrency=planner.limits.concurrency)


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
    return Next.SHARDS


def _settled(batch: Batch, now: int) -> Next | None:
    """Where to go without planning: it has ended, is planned already, or wants to end."""
    if batch.status.is_final:
        return Next.DONE
    if batch.status is BatchStatus.IN_PROGRESS:
        return Next.SHARDS
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
        self._folder = f"work/{batch.id}"
        self._writer: ShardWriter | None = None
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
        """Make the plan known: the shards' items, the map's items, then the batch itself."""
        shards = self._writer.finish() if self._writer else []
        for shard in shards:
            self._stores.shards.plan(shard)
        items = b"".join(orjson.dumps({"shard": shard.number}) + b"\n" for shard in shards)
        self._stores.objects.put(f"{self._folder}/shards.jsonl", items)
        findings = self._cursor.findings
        self._stores.batches.save(
            self._batch.move_to(
                BatchStatus.IN_PROGRESS,
                now,
                shards=len(shards),
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
        cursor = self._cursor
        cursor.offset, cursor.number = raw.end, cursor.number + 1
        line = self._checks.take(raw.content, cursor.number)
        if line and not cursor.findings.errors:  # a file with errors is read, but not written
            self._open_writer().add(line)

    def _choose(self, model: str) -> Deployment:
        deployments = self._planner.deployments_of(model, self._batch.deployment_hint)
        for deployment in deployments:
            if has_native_lane(deployment.provider):
                return deployment
        providers = ", ".join(sorted({deployment.provider for deployment in deployments}))
        raise NotFound(
            f"The provided model '{model}' is not supported by the Batch API: it is served by"
            f" {providers}, whose batches this gateway does not speak."
        )

    def _open_writer(self) -> ShardWriter:
        if self._writer is None:
            deployment = self._cursor.findings.deployment
            assert deployment is not None, "a good line has a model that is served"
            self._writer = ShardWriter(
                self._batch.id,
                self._batch.endpoint,
                deployment,
                self._planner.provider_of(deployment),
                self._stores.objects,
            )
        return self._writer

    def _reopen_writer(self) -> None:
        cursor = self._cursor
        if cursor.shards or cursor.draft:
            self._open_writer().resume(cursor.shards, cursor.draft)

    def _suspend(self) -> None:
        cursor = self._cursor
        if self._writer and not cursor.findings.errors:
            cursor.shards, cursor.draft = self._writer.finished, self._writer.suspend()
        self._stores.objects.put(self._ids_key, self._ids.to_bytes())
        self._stores.objects.put(self._key, cursor.model_dump_json().encode())

    def _read_cursor(self) -> Cursor:
        try:
            return Cursor.model_validate_json(self._stores.objects.get(self._key))
        except NotFound:
            return Cursor()

    def _read_ids(self) -> CustomIds:
        if not self._cursor.number:
            return CustomIds()
        return CustomIds.from_bytes(self._stores.objects.get(self._ids_key))

    @property
    def _key(self) -> str:
        return f"{self._folder}/plan.json"

    @property
    def _ids_key(self) -> str:
        """A key for each cursor: of two writes, the second may never come."""
        return f"{self._folder}/plan.{self._cursor.number}.ids"
