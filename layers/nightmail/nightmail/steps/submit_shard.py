"""State SubmitShard: hand one shard to its provider, once.

The intent is written before the call that pays. Where the answer is lost, the next attempt looks for
the batch by its tag and adopts it; only when it was not there in `LOOKS` looks, with a wait between
them, is it submitted again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nightmail.batch import Batch, BatchError
from nightmail.errors import (
    ConfigError,
    LeaseLost,
    ProviderError,
    ProviderNotFound,
    ProviderRejected,
    ProviderUnclear,
)
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, Tag
from nightmail.shard import Deployment, Ending, Shard, ShardState, refused_by, why_to_stop
from nightmail.steps.again import Clock, poll_again, try_again
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

LOOKS = 2
_LOOK_AGAIN = StepResult(next=Next.SUBMIT, wait_seconds=30)
ROUTES = {
    ShardState.SUBMITTED: Next.POLL,
    ShardState.ENDED: Next.COLLECT,
    ShardState.COLLECTED: Next.DONE,
    ShardState.STOPPED: Next.DONE,
}

ProviderOf = Callable[[Deployment], BatchProvider]


def submit_shard(
    task: ShardTask, stores: Stores, provider_of: ProviderOf, clock: Clock, lease_seconds: int
) -> StepResult:
    """Where to go next: POLL, SUBMIT again after a wait, or DONE where nothing is to be sent."""
    batch = stores.batches.get(task.owner, task.batch_id)
    try:
        shard = stores.shards.take_lease(task.batch_id, task.shard, clock(), lease_seconds)
        if shard.state in ROUTES:
            stores.shards.release(shard)
            return StepResult(next=ROUTES[shard.state])
        return _Submission(batch, shard, stores, clock).run(provider_of)
    except LeaseLost:  # another attempt is alive, and knows better
        return _LOOK_AGAIN


class _Submission:
    """One attempt, by the holder of the lease."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores, clock: Clock) -> None:
        self._batch = batch
        self._shard = shard
        self._stores = stores
        self._clock = clock
        self._tag = Tag(batch.id, shard.number)

    def run(self, provider_of: ProviderOf) -> StepResult:
        try:
            return self._adopt_or_submit(provider_of(self._shard.deployment))
        except ProviderUnclear as error:
            logger.warning("submission unclear", extra={"reason": error.message})
            self._release()
            return _LOOK_AGAIN
        except (ProviderError, ConfigError) as error:
            return self._failed(error)

    def _adopt_or_submit(self, provider: BatchProvider) -> StepResult:
        if self._shard.state is ShardState.SUBMITTING:
            found = self._look(provider)
            if found:
                return self._submitted(found)
            if self._shard.looks < LOOKS:
                self._release()
                return _LOOK_AGAIN
        ending = why_to_stop(self._batch, self._clock())
        return self._stop(ending, []) if ending else self._submit(provider)

    def _look(self, provider: BatchProvider) -> str | None:
        self._save(looks=self._shard.looks + 1)
        try:
            return provider.find(self._tag, self._shard.intended_at or 0)
        except ProviderNotFound as error:
            raise ProviderRejected(
                "It is not clear whether the provider started this shard, and it does not list its"
                " batches. Nothing was submitted again.",
                provider=error.provider,
                code="submission_unclear",
            ) from error

    def _submit(self, provider: BatchProvider) -> StepResult:
        prepared = self._shard.provider_file_id or self._prepare(provider)
        self._save(state=ShardState.SUBMITTING, intended_at=self._clock(), looks=0)
        try:
            provider_batch_id = provider.submit(prepared, self._shard.endpoint, self._tag)
        except ProviderUnclear:
            raise
        except ProviderError:  # it said no: nothing was started
            self._save(state=ShardState.PLANNED)
            raise
        return self._submitted(provider_batch_id)

    def _prepare(self, provider: BatchProvider) -> str:
        segments = self._shard.input
        size = sum(segment.size for segment in segments)
        prepared = provider.prepare(self._stores.objects.chunks(segments), size, self._tag)
        self._save(provider_file_id=prepared)
        return prepared

    def _submitted(self, provider_batch_id: str) -> StepResult:
        self._release(
            state=ShardState.SUBMITTED,
            provider_batch_id=provider_batch_id,
            submitted_at=self._clock(),
            attempts=0,
        )
        return poll_again(0)

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        if not error.retryable:
            return self._stop(Ending.FAILED, [refused_by(error)])
        attempts = self._shard.attempts
        self._release(attempts=attempts + 1)
        return try_again(Next.SUBMIT, attempts, getattr(error, "retry_after_seconds", None))

    def _stop(self, ending: Ending, errors: list[BatchError]) -> StepResult:
        logger.warning("shard stopped", extra={"ending": ending, "errors": len(errors)})
        failed = self._shard.lines
        self._release(state=ShardState.STOPPED, ending=ending, errors=errors, failed=failed)
        return StepResult(next=Next.DONE)

    def _save(self, **changes: Any) -> None:
        self._shard = self._stores.shards.save(self._shard.model_copy(update=changes))

    def _release(self, **changes: Any) -> None:
        self._shard = self._stores.shards.release(self._shard.model_copy(update=changes))
