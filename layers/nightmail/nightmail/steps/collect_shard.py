"""State CollectShard: fetch the provider's results, in whatever order they come, as sorted runs.

The figures of a shard are booked here, once, after its outcomes are in the bucket.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from nightmail.batch import Batch, Usage
from nightmail.errors import ConfigError, NotFound, ProviderError
from nightmail.file import Segment
from nightmail.lines import cut_lines
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import Cursor, Result
from nightmail.shard import Ending, Shard, ShardState, refused_by
from nightmail.steps.again import Clock, TimeIsUp, try_again
from nightmail.steps.poll_shard import PATIENCE
from nightmail.steps.submit_shard import ROUTES, ProviderOf
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

RUN_BYTES = 16 * 1024 * 1024
# How long after the window a provider may keep us from fetching what it has.
_COLLECT_GRACE_SECONDS = 3 * 3600
_CHECK_TIME_EVERY = 500


class Collection(BaseModel):
    """What has been fetched so far. `seen` has a byte for each line of the shard, in its order."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    v: int = 1
    cursor: Cursor = Cursor()
    runs: list[Segment] = Field(default_factory=list)
    seen: bytes = b""
    usage: Usage = Field(default_factory=Usage)


def collect_shard(
    task: ShardTask, stores: Stores, provider_of: ProviderOf, clock: Clock, time_is_up: TimeIsUp
) -> StepResult:
    """Where to go next: MORE, COLLECT again after a wait, or DONE."""
    batch = stores.batches.get(task.owner, task.batch_id)
    shard = stores.shards.get(task.batch_id, task.shard)
    if shard.state is not ShardState.ENDED:
        return StepResult(next=ROUTES.get(shard.state, Next.SUBMIT))
    collector = _Collector(batch, shard, stores.objects)
    try:
        provider = provider_of(shard.deployment)
        results = provider.results(
            shard.provider_output_ids, shard.deployment.name, collector.cursor
        )
        if not collector.take(results, time_is_up):
            return StepResult(next=Next.MORE)
    except (ProviderError, ConfigError) as error:
        patient = clock() < batch.expires_at + _COLLECT_GRACE_SECONDS
        if patient and (error.retryable or shard.attempts < PATIENCE):
            return _later(shard, stores, getattr(error, "retry_after_seconds", None))
        shard = shard.model_copy(update={"ending": Ending.LOST, "errors": [refused_by(error)]})
    if collector.missing and shard.ending is Ending.COMPLETED and shard.attempts < PATIENCE:
        collector.start_again()
        return _later(shard, stores, None)
    stores.shards.save(collector.book(shard))
    return StepResult(next=Next.DONE)


def _later(shard: Shard, stores: Stores, retry_after_seconds: float | None) -> StepResult:
    stores.shards.save(shard.model_copy(update={"attempts": shard.attempts + 1}))
    return try_again(Next.COLLECT, shard.attempts, retry_after_seconds)


class _Collector:
    """Takes results, drops strays and repetitions, and writes sorted runs."""

    def __init__(self, batch: Batch, shard: Shard, objects: ObjectStore) -> None:
        self._folder = f"work/{batch.id}/shards/{shard.number:06d}"
        self._objects = objects
        self._places = _places(objects, shard.index)
        self._done = self._resume()
        self._seen = bytearray(self._done.seen or bytes(len(self._places)))
        self._rows: list[bytes] = []
        self._bytes = 0
        self._strays = 0

    @property
    def cursor(self) -> Cursor:
        return self._done.cursor

    @property
    def missing(self) -> int:
        """Lines without an outcome."""
        return self._seen.count(0)

    def take(self, results: Iterable[Result], time_is_up: TimeIsUp) -> bool:
        """Whether all were taken; what was, is kept, whatever happens."""
        try:
            for count, result in enumerate(results, 1):
                self._take(result)
                if self._bytes >= RUN_BYTES:
                    self._flush()
                if count % _CHECK_TIME_EVERY == 0 and time_is_up():
                    return False
            return True
        finally:
            self._flush()
            if self._strays:
                logger.warning("results that are not ours", extra={"count": self._strays})

    def start_again(self) -> None:
        """Read everything anew: the provider's results may not have been complete yet."""
        self._objects.delete([self._key])

    def book(self, shard: Shard) -> Shard:
        """The shard with its figures."""
        completed = self._seen.count(Kind.ANSWERED + 1)
        return shard.model_copy(
            update={
                "state": ShardState.COLLECTED,
                "runs": self._done.runs,
                "completed": completed,
                "failed": shard.lines - completed,
                "usage": self._done.usage,
            }
        )

    def _take(self, result: Result) -> None:
        self._done.cursor = result.behind
        outcome = result.outcome
        place = self._places.get(outcome.number) if outcome else None
        if outcome is None or place is None:
            self._strays += 1
        elif self._is_better(outcome, place):
            self._seen[place] = outcome.kind + 1
            self._done.usage += result.usage
            row = to_row(outcome)
            self._rows.append(row)
            self._bytes += len(row)

    def _is_better(self, outcome: Outcome, place: int) -> bool:
        return self._seen[place] == 0 or outcome.kind + 1 < self._seen[place]

    def _flush(self) -> None:
        if self._rows:
            self._rows.sort()
            key = f"{self._folder}/run-{uuid4().hex}.jsonl"
            self._done.runs.append(self._objects.put(key, b"".join(self._rows)))
            self._rows, self._bytes = [], 0
        self._done.seen = bytes(self._seen)
        self._objects.put(self._key, self._done.model_dump_json().encode())

    @property
    def _key(self) -> str:
        return f"{self._folder}/collection.json"

    def _resume(self) -> Collection:
        try:
            return Collection.model_validate_json(self._objects.get(self._key))
        except NotFound:
            return Collection()


def _places(objects: ObjectStore, index: list[Segment]) -> dict[int, int]:
    """The place of each line number within the shard."""
    rows = (raw.content for raw in cut_lines(objects.chunks(index)))
    return {int(row.split(b" ", 1)[0]): place for place, row in enumerate(filter(None, rows))}
