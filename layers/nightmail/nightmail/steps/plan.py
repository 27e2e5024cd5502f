"""The plan of one batch, as far as it has come: what PlanBatch works on, and stops and goes on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchStatus, OnDeadline, RequestCounts
from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import StoredFile
from nightmail.lines import MAX_LINE_BYTES, RawLine, cut_lines
from nightmail.part import Part
from nightmail.payloads import Next
from nightmail.providers.base import FormatOf
from nightmail.steps.duplicates import CustomIds
from nightmail.steps.handed_over import with_answered
from nightmail.steps.input_checks import Findings, InputChecks, PlanLimits, check_file, refuse
from nightmail.steps.lanes import Lanes
from nightmail.steps.line_sorter import LineSorter, Sorted
from nightmail.steps.plan_estimate import estimate_of
from nightmail.steps.planned_parts import in_order, part_of, shards_among, write_items
from nightmail.steps.retried_lines import RetriedLines
from nightmail.steps.spools import Spools
from nightmail.steps.waits import TimeIsUp
from nightmail.steps.ways import MOST_WAYS, FallbacksOf, KnownWays, TooManyWays, Ways
from nightmail.stores.stores import Stores
from nightmail.work_keys import custom_ids_key, plan_key

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_STRIDE = 1000  # lines from one place that is kept to the next
_TOO_MANY = (
    f"The lines of this file go more than {MOST_WAYS} ways: each model's deployment, endpoint and lane "
    "is one. Split the file by its models."
)
_ERRORS_GONE = (
    "The error file of batch {}, whose failed lines were to run again, is gone. "
    "Send those lines as a new batch."
)


@dataclass(frozen=True)
class Planner:
    """What planning needs of the world.

    `deployments_of` gets the name of a model and the batch's hint; `strict` and `on_deadline` answer
    what holds for batches that do not say.
    """

    stores: Stores
    deployments_of: Callable[[str, str | None], list[Deployment]]
    fallbacks_of: FallbacksOf
    strict: Callable[[], bool]
    on_deadline: Callable[[], OnDeadline]
    format_of: FormatOf
    pricer: Pricer
    limits: PlanLimits


class PlanCursor(BaseModel):
    """Where planning stopped: bytes and lines read, what they showed, and the parts so far.

    `places` are where every so many lines begin; `written` counts the parts that are known already,
    once the file `is_read`.
    """

    v: int = 2
    offset: int = 0
    number: int = 0
    places: list[int] = Field(default_factory=lambda: [0])
    retried_offset: int = 0
    findings: Findings = Field(default_factory=Findings)
    ways: KnownWays = Field(default_factory=KnownWays)
    sorted: Sorted = Field(default_factory=Sorted)
    is_read: bool = False
    written: int = 0


class Plan:
    """Made by `read`, then `write`, then `finish`; each of the first two may need several invocations."""

    def __init__(self, batch: Batch, planner: Planner) -> None:
        self._batch = batch
        self._planner = planner
        self._stores = planner.stores
        self._cursor = self._read_cursor()
        lanes = Lanes(batch, planner.format_of, planner.limits.chunk_lines)
        self._ways = Ways(self._cursor.ways, lanes, self._deployments_of, planner.fallbacks_of)
        self._sorter = LineSorter(
            batch.id,
            self._ways,
            lanes,
            Spools(planner.stores.objects),
            planner.pricer if batch.dry_run else None,
        )
        self._sorter.resume(self._cursor.sorted)

    def read(self, now: int, time_is_up: TimeIsUp) -> bool:
        """Whether the whole file has been read. Raises InputRefused where it can't be run."""
        if self._cursor.is_read:
            return True
        try:
            return self._read(now, time_is_up)
        except NotFound as error:
            raise StorageUnavailable("The input file is being rewritten; try again.") from error

    def write(self, time_is_up: TimeIsUp) -> bool:
        """Whether all parts are known, and the maps' items too."""
        if self._batch.dry_run:
            return True
        cursor, objects, ways = self._cursor, self._stores.objects, self._cursor.ways.ways
        drafts = in_order(cursor.sorted.finished)
        shards = shards_among(drafts)
        for place in range(cursor.written, len(drafts)):
            draft, number = drafts[place], place + 1 if place < shards else place + 1 - shards
            part = part_of(draft, number, ways[draft.way], self._batch.id)
            self._stores.parts.plan(self._begun(part))
            cursor.written = place + 1
            if time_is_up():
                self._save_cursor()
                return False
        write_items(self._batch.id, drafts, objects)
        return True

    def finish(self, now: int) -> Next:
        """Say that the batch is planned, in one write: it is in progress, or a dry run that is over."""
        batch, findings = self._batch, self._cursor.findings
        known: dict[str, Any] = {
            "model": findings.model,
            "counts": RequestCounts(total=findings.total),
        }
        if batch.dry_run:
            estimate = estimate_of(self._cursor.ways.ways, self._cursor.sorted)
            ended = batch.move_to(BatchStatus.COMPLETED, now, estimate=estimate, **known)
            self._stores.batches.save(ended)
            return Next.DONE
        drafts = self._cursor.sorted.finished
        shards = shards_among(drafts)
        begun = batch.move_to(
            BatchStatus.IN_PROGRESS, now, shards=shards, chunks=len(drafts) - shards, **known
        )
        self._stores.batches.save(begun)
        return Next.PARTS

    def _begun(self, part: Part) -> Part:
        """With what was answered before the batch was made."""
        answered = self._batch.answered
        if answered is None or not isinstance(part, Chunk) or part.is_over:
            return part
        return with_answered(part, answered, self._stores.objects, self._planner.pricer)

    def _read(self, now: int, time_is_up: TimeIsUp) -> bool:
        batch, cursor, objects = self._batch, self._cursor, self._stores.objects
        file = self._file(now)
        retried = self._retried(now)
        ids = self._read_ids()
        checks = InputChecks(
            batch.endpoint if batch.strict else None, self._planner.limits, cursor.findings, ids
        )
        chunks = objects.chunks(file.segments, cursor.offset)
        for raw in cut_lines(chunks, cursor.offset, MAX_LINE_BYTES):
            start, cursor.offset, cursor.number = cursor.offset, raw.end, cursor.number + 1
            if cursor.number % _STRIDE == 0:
                cursor.places.append(raw.end)
            if retried is None or retried.include(cursor.number):
                self._take(checks, raw, start)
            elif retried.are_over:
                break
            if time_is_up():
                cursor.retried_offset = retried.offset if retried else 0
                objects.put(custom_ids_key(batch.id, cursor.number), ids.to_bytes())
                cursor.sorted = self._sorter.suspend()
                self._save_cursor()
                return False
        checks.finish(lambda number: self._line_again(file, number))
        cursor.sorted, cursor.is_read = self._sorter.finish(), True
        return True

    def _take(self, checks: InputChecks, raw: RawLine, start: int) -> None:
        line = checks.take(raw.content, self._cursor.number)
        if line is None:
            return
        try:
            place = self._ways.take(line)
        except NotFound as error:
            checks.unserved(line, error)
            return
        except TooManyWays:
            refuse("too_many_models", _TOO_MANY)
        if not self._cursor.findings.errors:  # a file with errors is read, but not written
            self._sorter.add(line, place, start, raw.end)

    def _line_again(self, file: StoredFile, number: int) -> bytes:
        """A line that was read before."""
        strides, others = divmod(number - 1, _STRIDE)
        start = self._cursor.places[strides]
        lines = cut_lines(self._stores.objects.chunks(file.segments, start), start, MAX_LINE_BYTES)
        return next(islice(lines, others, None)).content or b""

    def _file(self, now: int) -> StoredFile:
        file_id = self._batch.input_file_id
        try:
            file = self._stores.files.get(self._batch.owner, file_id, now)
        except NotFound:
            message = f"Cannot find file {file_id}, or you have no access to it."
            refuse("invalid_request", message, "file_id")
        check_file(file, self._planner.limits)
        return file

    def _retried(self, now: int) -> RetriedLines | None:
        """The failed lines of the batch that this one runs again, if it does."""
        batch_id, stores, owner = self._batch.retry_of, self._stores, self._batch.owner
        if batch_id is None:
            return None
        before = stores.batches.find(owner, batch_id)
        try:
            errors = stores.files.get(owner, (before and before.error_file_id) or "", now)
        except NotFound:
            refuse("error_file_gone", _ERRORS_GONE.format(batch_id), "retry_of")
        return RetriedLines(errors, stores.objects, self._cursor.retried_offset)

    def _deployments_of(self, model: str) -> list[Deployment]:
        return self._planner.deployments_of(model, self._batch.deployment_hint)

    def _save_cursor(self) -> None:
        content = self._cursor.model_dump_json().encode()
        self._stores.objects.put(plan_key(self._batch.id), content)

    def _read_cursor(self) -> PlanCursor:
        try:
            return PlanCursor.model_validate_json(
                self._stores.objects.get(plan_key(self._batch.id))
            )
        except NotFound:
            return PlanCursor()

    def _read_ids(self) -> CustomIds:
        if not self._cursor.number:
            return CustomIds()
        key = custom_ids_key(self._batch.id, self._cursor.number)
        return CustomIds.from_bytes(self._stores.objects.get(key))
