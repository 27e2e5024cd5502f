"""State PlanBatch: read the input once, check every line, write the shards. Nothing is sent yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

import orjson
from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, BatchStatus, RequestCounts
from nightmail.errors import ConfigError, NotFound, StorageUnavailable
from nightmail.file import FileStatus, StoredFile
from nightmail.lines import Line, RawLine, cut_lines, read_line
from nightmail.payloads import BatchTask, Next, PlanResult
from nightmail.providers.registry import has_native_lane
from nightmail.shard import Deployment, Shard, refused_by, why_to_stop
from nightmail.steps.again import Clock, TimeIsUp
from nightmail.steps.duplicates import CustomIds
from nightmail.steps.fail_batch import MAX_ERRORS
from nightmail.steps.shard_writer import Draft, ShardWriter
from nightmail.steps.submit_shard import ProviderOf
from nightmail.stores.stores import Stores

_CHECK_TIME_EVERY = 500

DeploymentsOf = Callable[[str, str | None], list[Deployment]]


@dataclass(frozen=True)
class PlanLimits:
    """What one input file may have, and how many shards run at a time."""

    lines: int
    bytes: int
    concurrency: int


class Cursor(BaseModel):
    """Where planning stopped: bytes and lines read, and what was found so far."""

    v: int = 1
    offset: int = 0
    number: int = 0
    total: int = 0
    model: str | None = None
    errors: list[BatchError] = Field(default_factory=list)
    deployment: Deployment | None = None
    shards: list[Shard] = Field(default_factory=list)
    draft: Draft | None = None


@dataclass(frozen=True)
class Planner:
    """What planning needs of the world."""

    stores: Stores
    deployments_of: DeploymentsOf
    provider_of: ProviderOf
    limits: PlanLimits


def plan_batch(task: BatchTask, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> PlanResult:
    """Where to go next: MORE, SHARDS, FINALIZE (it was cancelled), FAILED, or DONE (it is gone)."""
    step = _plan(task, planner, clock, time_is_up)
    return PlanResult(next=step, concurrency=planner.limits.concurrency)


def _plan(task: BatchTask, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> Next:
    batches = planner.stores.batches
    try:
        batch = batches.get(task.owner, task.batch_id)
    except NotFound:
        return Next.DONE
    settled = _settled(batch, clock())
    if settled:
        return settled
    plan = _Plan(batch, planner)
    try:
        if not plan.run(clock(), time_is_up):
            return Next.MORE
        plan.write(clock())
    except _Refused as refused:
        batches.save(batch.model_copy(update={"errors": refused.errors}))
        return Next.FAILED
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
    return Next.FINALIZE if why_to_stop(batch, now) else None


class _Refused(Exception):
    """The file cannot be run as it is."""

    def __init__(self, errors: list[BatchError]) -> None:
        super().__init__()
        self.errors = errors


class _Plan:
    def __init__(self, batch: Batch, planner: Planner) -> None:
        self._batch = batch
        self._stores = planner.stores
        self._deployments_of = planner.deployments_of
        self._provider_of = planner.provider_of
        self._limits = planner.limits
        self._folder = f"work/{batch.id}"
        self._cursor = Cursor()
        self._ids = CustomIds()
        self._writer: ShardWriter | None = None

    def run(self, now: int, time_is_up: TimeIsUp) -> bool:
        """Whether the whole file has been read. Raises _Refused where it can't be run."""
        file = self._file(now)
        self._resume()
        chunks = self._stores.objects.chunks(file.segments, self._cursor.offset)
        for count, raw in enumerate(cut_lines(chunks, self._cursor.offset), 1):
            self._take(raw)
            if count % _CHECK_TIME_EVERY == 0 and time_is_up():
                self._suspend()
                return False
        self._check_whole(file)
        return True

    def write(self, now: int) -> None:
        """Make the plan known: the shards' items, the map's items, then the batch itself."""
        shards = self._writer.finish() if self._writer else []
        for shard in shards:
            self._stores.shards.plan(shard)
        items = b"".join(orjson.dumps({"shard": shard.number}) + b"\n" for shard in shards)
        self._stores.objects.put(f"{self._folder}/shards.jsonl", items)
        self._stores.batches.save(
            self._batch.move_to(
                BatchStatus.IN_PROGRESS,
                now,
                shards=len(shards),
                model=self._cursor.model,
                counts=RequestCounts(total=self._cursor.total),
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
            _refuse(
                "invalid_request",
                f"Cannot find file {file_id}, or you have no access to it.",
                "file_id",
            )
        if file.purpose != "batch":
            _refuse(
                "invalid_request",
                f"The file {file_id} has the purpose '{file.purpose}', not 'batch'.",
                "file_id",
            )
        if file.status is FileStatus.ERROR:
            _refuse(
                "invalid_request",
                f"The file {file_id} is damaged: {file.status_details}",
                "file_id",
            )
        if file.bytes > self._limits.bytes:
            _refuse(
                "file_too_large",
                f"The batch input file is larger than the {self._limits.bytes} maximum."
                " Please try again with a smaller batch.",
            )
        return file

    def _take(self, raw: RawLine) -> None:
        cursor = self._cursor
        cursor.offset, cursor.number = raw.end, cursor.number + 1
        line = read_line(raw.content, cursor.number, self._batch.endpoint)
        if isinstance(line, Line):
            cursor.total += 1
            line = self._accept(line)
        if line is not None:
            self._note(line)

    def _accept(self, line: Line) -> BatchError | None:
        """Write the line into its shard; what is wrong with it otherwise."""
        self._ids.add(line.custom_id, line.number)
        if self._cursor.total > self._limits.lines:
            message = f"The batch has more than {self._limits.lines} requests."
            _refuse("too_many_requests", message)
        if self._cursor.model is None:
            self._cursor.model = line.model
        if line.model != self._cursor.model:
            return _mismatch(line)
        if self._writer is None and not self._cursor.errors:
            error = self._open_writer(line)
            if error:
                return error
        if self._writer and not self._cursor.errors:
            self._writer.add(line)
        return None

    def _open_writer(self, line: Line) -> BatchError | None:
        try:
            deployment = self._deployment_of(line.model)
        except NotFound as error:
            return BatchError(
                code="model_not_found", message=error.message, param="body.model", line=line.number
            )
        except ConfigError as error:
            raise _Refused([refused_by(error)]) from error
        self._write_for(deployment)
        return None

    def _deployment_of(self, model: str) -> Deployment:
        deployments = self._deployments_of(model, self._batch.deployment_hint)
        for deployment in deployments:
            if has_native_lane(deployment.provider):
                return deployment
        providers = ", ".join(sorted({deployment.provider for deployment in deployments}))
        raise NotFound(
            f"The provided model '{model}' is not supported by the Batch API: it is served by"
            f" {providers}, whose batches this gateway does not speak."
        )

    def _write_for(self, deployment: Deployment) -> None:
        self._cursor.deployment = deployment
        try:
            provider = self._provider_of(deployment)
        except ConfigError as error:
            raise _Refused([refused_by(error)]) from error
        self._writer = ShardWriter(
            self._batch.id, self._batch.endpoint, deployment, provider, self._stores.objects
        )

    def _note(self, error: BatchError) -> None:
        self._cursor.errors.append(error)
        if len(self._cursor.errors) >= MAX_ERRORS:
            raise _Refused(self._cursor.errors)

    def _check_whole(self, file: StoredFile) -> None:
        errors = self._cursor.errors + list(self._repeated(file))
        if errors:
            errors.sort(key=lambda error: error.line or 0)
            raise _Refused(errors[:MAX_ERRORS])
        if not self._cursor.total:
            _refuse(
                "empty_file",
                "The input file is empty. Please ensure that the batch contains at least one request.",
            )

    def _repeated(self, file: StoredFile) -> Iterator[BatchError]:
        """The hashes' candidates, told apart by a look at their lines."""
        pairs = list(islice(self._ids.candidates(), MAX_ERRORS))
        wanted = {number for pair in pairs for number in pair}
        if not wanted:
            return
        raws = enumerate(cut_lines(self._stores.objects.chunks(file.segments)), 1)
        ids = {
            number: orjson.loads(raw.content or b"null")["custom_id"]
            for number, raw in raws
            if number in wanted
        }
        for first, second in pairs:
            if ids[first] == ids[second]:
                yield _duplicate(ids[second], second)

    def _suspend(self) -> None:
        cursor = self._cursor
        if self._writer:
            cursor.shards, cursor.draft = self._writer.finished, self._writer.suspend()
        self._stores.objects.put(f"{self._folder}/plan.ids", self._ids.to_bytes())
        self._stores.objects.put(self._key, cursor.model_dump_json().encode())

    def _resume(self) -> None:
        objects = self._stores.objects
        try:
            self._cursor = Cursor.model_validate_json(objects.get(self._key))
        except NotFound:
            return
        self._ids = CustomIds.from_bytes(objects.get(f"{self._folder}/plan.ids"))
        if self._cursor.deployment:
            self._write_for(self._cursor.deployment)
        if self._writer:
            self._writer.resume(self._cursor.shards, self._cursor.draft)

    @property
    def _key(self) -> str:
        return f"{self._folder}/plan.json"


def _refuse(code: str, message: str, param: str | None = None) -> NoReturn:
    raise _Refused([BatchError(code=code, message=message, param=param)])


def _mismatch(line: Line) -> BatchError:
    return BatchError(
        code="mismatched_model",
        message=f"The model '{line.model}' for this request does not match the rest of the batch."
        " Each batch must contain requests for a single model.",
        param="body.model",
        line=line.number,
    )


def _duplicate(custom_id: str, number: int) -> BatchError:
    return BatchError(
        code="duplicate_custom_id",
        message=f"The custom_id '{custom_id}' for this request is a duplicate of another request."
        " The custom_id parameter must be unique for each request in a batch.",
        param="custom_id",
        line=number,
    )
