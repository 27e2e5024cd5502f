"""The plan of one batch, as far as it has come: what PlanBatch works on, and stops and goes on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchStatus, OnDeadline, RequestCounts
from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.lines import Line
from nightmail.part import Part
from nightmail.payloads import Next
from nightmail.providers.base import FormatOf
from nightmail.steps.handed_over import with_answered
from nightmail.steps.input_checks import PlanLimits, refuse
from nightmail.steps.input_reader import InputReader, Place, ReadSoFar
from nightmail.steps.lanes import Lanes
from nightmail.steps.line_sorter import LineSorter, Sorted
from nightmail.steps.plan_estimate import estimate_of
from nightmail.steps.planned_parts import in_order, part_of, shards_among, write_items
from nightmail.steps.spools import NoSpools, Spools
from nightmail.steps.waits import TimeIsUp
from nightmail.steps.ways import MOST_WAYS, FallbacksOf, KnownWays, TooManyWays, Ways
from nightmail.stores.stores import Stores
from nightmail.work_keys import plan_key

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_TOO_MANY = (
    f"The lines of this file go more than {MOST_WAYS} ways: each model's deployment, endpoint and lane "
    "is one. Split the file by its models."
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
    """Where planning stopped. When the file `is_read`, `known` counts the parts whose items are there."""

    v: Literal[1] = 1
    read: ReadSoFar = Field(default_factory=ReadSoFar)
    ways: KnownWays = Field(default_factory=KnownWays)
    sorted: Sorted = Field(default_factory=Sorted)
    is_read: bool = False
    known: int = 0


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
            (NoSpools if batch.dry_run else Spools)(planner.stores.objects),
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
        except TooManyWays:
            refuse(code="too_many_models", message=_TOO_MANY)

    def write(self, time_is_up: TimeIsUp) -> bool:
        """Whether all parts are known, and the maps' items too."""
        if self._batch.dry_run:
            return True
        cursor, ways = self._cursor, self._cursor.ways.ways
        drafts = in_order(cursor.sorted.finished)
        shards = shards_among(drafts)
        for place in range(cursor.known, len(drafts)):
            before = 0 if place < shards else shards
            draft = drafts[place]
            part = part_of(draft, place + 1 - before, ways[draft.way], self._batch.id)
            self._stores.parts.plan(self._begun(part))
            cursor.known = place + 1
            if time_is_up():
                self._save_cursor()
                return False
        write_items(self._batch.id, drafts, self._stores.objects)
        return True

    def finish(self, now: int) -> Next:
        """Say that the batch is planned, in one write: it is in progress, or a dry run that is over."""
        batch, findings = self._batch, self._cursor.read.findings
        counts = RequestCounts(total=findings.total)
        known: dict[str, Any] = {"model": findings.model, "counts": counts}
        if batch.dry_run:
            known_ways, format_of = self._cursor.ways.ways, self._planner.format_of
            estimate = estimate_of(known_ways, self._cursor.sorted, format_of)
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

    def _read(self, now: int, time_is_up: TimeIsUp) -> bool:
        cursor, planner = self._cursor, self._planner
        reader = InputReader(self._batch, planner.stores, planner.limits, cursor.read, now)
        for place in reader.lines():
            if place.line:
                self._sort(place.line, place, reader)
            if time_is_up():
                cursor.sorted = self._sorter.suspend()
                reader.suspend()
                self._save_cursor()
                return False
        reader.finish()
        cursor.sorted, cursor.is_read = self._sorter.finish(), True
        return True

    def _sort(self, line: Line, place: Place, reader: InputReader) -> None:
        try:
            way = self._ways.take(line)
        except NotFound as error:
            reader.unserved(line, error)
            return
        if not self._cursor.read.findings.errors:  # a file with errors is read, but not written
            self._sorter.add(line, way, place.start, place.end)

    def _begun(self, part: Part) -> Part:
        """With what was answered before the batch was made."""
        answered = self._batch.answered
        if answered is None or not isinstance(part, Chunk) or part.is_over:
            return part
        return with_answered(part, answered, self._stores.objects, self._planner.pricer)

    def _deployments_of(self, model: str) -> list[Deployment]:
        return self._planner.deployments_of(model, self._batch.deployment_hint)

    def _save_cursor(self) -> None:
        content = self._cursor.model_dump_json().encode()
        self._stores.objects.put(plan_key(self._batch.id), content)

    def _read_cursor(self) -> PlanCursor:
        try:
            content = self._stores.objects.get(plan_key(self._batch.id))
        except NotFound:
            return PlanCursor()
        return PlanCursor.model_validate_json(content)
