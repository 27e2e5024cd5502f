"""State CollectShard: fetch the provider's results.

The figures of a shard are booked here, once, after its outcomes are in the bucket.
"""

from __future__ import annotations

from typing import Any

from nightmail.batch import Batch
from nightmail.errors import ConfigError, NotFound, ProviderError
from nightmail.part import Ending, refused_by
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import ProviderOf
from nightmail.shard import Shard, ShardState
from nightmail.steps.collection import Collector
from nightmail.steps.shard_work import ShardWork, next_of
from nightmail.steps.waits import PATIENCE, Clock, TimeIsUp, overtime_seconds, try_again
from nightmail.stores.stores import Stores

# How long after the batch's end a provider may keep us from fetching what it has.
_GRACE_SECONDS = 3 * 3600


def collect_shard(
    task: ShardTask, stores: Stores, provider_of: ProviderOf, clock: Clock, time_is_up: TimeIsUp
) -> StepResult:
    """Where to go next: MORE, COLLECT again after a wait, POLL (results are missing) or DONE."""
    try:
        batch = stores.batches.get(task.owner, task.batch_id)
        shard = stores.parts.shards.get(task.batch_id, task.shard)
    except NotFound:
        return StepResult(next=Next.DONE)
    if shard.state is not ShardState.ENDED:
        return StepResult(next=next_of(shard))
    return _Collecting(batch, shard, stores, clock).run(provider_of, time_is_up)


class _Collecting(ShardWork):
    def __init__(self, batch: Batch, shard: Shard, stores: Stores, clock: Clock) -> None:
        super().__init__(batch, shard, stores)
        self._clock = clock
        self._collector = Collector(shard, stores.objects)

    def run(self, provider_of: ProviderOf, time_is_up: TimeIsUp) -> StepResult:
        deployment, outputs = self._shard.deployment, self._shard.provider_output_ids
        try:
            provider = provider_of(deployment)
            results = provider.results(outputs, deployment.name, self._collector.cursor)
            if not self._collector.take(results, time_is_up):
                return StepResult(next=Next.MORE)
        except (ProviderError, ConfigError) as error:
            return self._failed(error)
        if self._is_incomplete():
            return self._look_again()
        return self._book()

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        attempts = self._shard.attempts
        in_time = overtime_seconds(self._batch, self._clock()) < _GRACE_SECONDS
        if in_time and (error.retryable or attempts < PATIENCE):
            self._save(attempts=attempts + 1, last_refusal=error.message)
            retry_after_seconds = getattr(error, "retry_after_seconds", None)
            return try_again(Next.COLLECT, attempts, retry_after_seconds)
        return self._book(ending=Ending.LOST, errors=[refused_by(error)])

    def _is_incomplete(self) -> bool:
        """Whether the provider has more than it showed: its results may lag, or were cut off."""
        shard = self._shard
        reported = shard.reported_completed + shard.reported_failed
        expected = shard.lines if shard.ending is Ending.COMPLETED else reported
        missing = self._collector.count < expected
        return bool(missing and shard.provider_output_ids and shard.rereads < PATIENCE)

    def _look_again(self) -> StepResult:
        """Back to polling: the provider may name other outputs by now."""
        rereads = self._shard.rereads
        self._collector.read_again()
        self._save(state=ShardState.SUBMITTED, rereads=rereads + 1)
        return try_again(Next.POLL, rereads)

    def _book(self, **changes: Any) -> StepResult:
        self._shards.save(self._collector.book(self._shard.changed(**changes)))
        return StepResult(next=Next.DONE)
