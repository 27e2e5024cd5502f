"""State SubmitShard: hand one shard to its provider, once.

The intent is written before the call that pays. Where the answer is lost, the next attempt looks for
the batch by its tag and adopts it; only when it was not there in `LOOKS` looks, with a wait between
them, is it submitted again.
"""

from __future__ import annotations

from contextlib import suppress

from nightmail.batch import Batch
from nightmail.errors import (
    ConfigError,
    LeaseLost,
    NotFound,
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderUnclear,
    StorageError,
)
from nightmail.part import Ending, refused_by, why_to_stop
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, ProviderOf, Tag
from nightmail.shard import Shard, ShardState
from nightmail.steps.shard_work import ShardWork, next_of
from nightmail.steps.waits import (
    GRACE_SECONDS,
    PATIENCE,
    Clock,
    overtime_seconds,
    poll_again,
    try_again,
)
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

LOOKS = 2
# After an unclear answer a batch may take a while to be listed.
_FIRST_LOOK = 3  # as if three tries had failed: after 40 seconds
_HELD = StepResult(next=Next.SUBMIT, wait_seconds=30)


def submit_shard(
    task: ShardTask, stores: Stores, provider_of: ProviderOf, clock: Clock, lease_seconds: int
) -> StepResult:
    """Where to go next: POLL, SUBMIT again after a wait, or DONE where nothing is to be sent."""
    try:
        batch = stores.batches.get(task.owner, task.batch_id)
        shard = stores.parts.shards.take_lease(task.batch_id, task.shard, clock(), lease_seconds)
    except NotFound:
        return StepResult(next=Next.DONE)
    except LeaseLost:  # another attempt is alive, and knows better
        return _HELD
    submission = _Submission(batch, shard, stores, clock)
    try:
        return submission.run(provider_of)
    except LeaseLost:
        return _HELD
    except Exception:
        submission.give_back()
        raise


class _Submission(ShardWork):
    """One attempt, by the holder of the lease."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores, clock: Clock) -> None:
        super().__init__(batch, shard, stores)
        self._clock = clock
        self._tag = Tag(batch.id, shard.number, shard.returns)

    def run(self, provider_of: ProviderOf) -> StepResult:
        if next_of(self._shard) is not Next.SUBMIT:
            self._release()
            return StepResult(next=next_of(self._shard))
        try:
            return self._adopt_or_submit(provider_of(self._shard.deployment))
        except ProviderUnclear as error:
            logger.warning("submission unclear", extra={"reason": error.message})
            return self._look_later()
        except (ProviderError, ConfigError) as error:
            return self._failed(error)

    def give_back(self) -> None:
        """After a break-off the next attempt need not wait until the lease runs out."""
        with suppress(StorageError):
            self._release()

    def _adopt_or_submit(self, provider: BatchProvider) -> StepResult:
        if self._shard.state is ShardState.SUBMITTING:
            found = self._look(provider)
            if found:
                return self._submitted(provider, found)
            if self._shard.looks < LOOKS:
                return self._look_later()
        ending = why_to_stop(self._batch, self._clock())
        return self._stop(ending, []) if ending else self._submit(provider)

    def _look(self, provider: BatchProvider) -> str | None:
        prepared, since = self._shard.provider_file_id or "", self._shard.intended_at or 0
        try:
            found = provider.find(prepared, self._tag, since)
        except (ProviderNotFound, ProviderRejected) as error:
            raise ProviderRejected(
                "It is not clear whether the provider has started this shard, and its batches"
                f" cannot be listed. Nothing was submitted again. {error.message}",
                provider=error.provider,
                code="submission_unclear",
            ) from error
        if found is None:
            self._save(looks=self._shard.looks + 1)
        return found

    def _look_later(self) -> StepResult:
        attempts = self._shard.attempts
        self._release(attempts=attempts + 1)
        return try_again(Next.SUBMIT, attempts + _FIRST_LOOK)

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
        return self._submitted(provider, provider_batch_id)

    def _prepare(self, provider: BatchProvider) -> str:
        segments = self._shard.input
        size = sum(segment.size for segment in segments)
        prepared = provider.prepare(self._stores.objects.chunks(segments), size, self._tag)
        self._save(provider_file_id=prepared)
        return prepared

    def _submitted(self, provider: BatchProvider, provider_batch_id: str) -> StepResult:
        try:
            self._release(
                state=ShardState.SUBMITTED,
                provider_batch_id=provider_batch_id,
                submitted_at=self._clock(),
                attempts=0,
                last_refusal=None,
            )
        except LeaseLost:
            self._cancel_where_stopped(provider, provider_batch_id)
            raise
        return poll_again(0)

    def _cancel_where_stopped(self, provider: BatchProvider, provider_batch_id: str) -> None:
        """The shard was abandoned while we submitted it: nobody else will cancel what we started."""
        latest = self._shards.get(self._batch.id, self._shard.number)
        if latest.state is ShardState.STOPPED:
            provider.cancel(provider_batch_id)

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        attempts = self._shard.attempts
        may_heal = isinstance(error, ProviderGarbled) and attempts < PATIENCE
        if not error.retryable and not may_heal:
            return self._stop(Ending.FAILED, [refused_by(error)])
        if overtime_seconds(self._batch, self._clock()) >= GRACE_SECONDS:
            return self._stop(why_to_stop(self._batch, self._clock()) or Ending.EXPIRED, [])
        logger.warning("not submitted", extra={"reason": error.message})
        self._release(attempts=attempts + 1, last_refusal=error.message)
        return try_again(Next.SUBMIT, attempts, getattr(error, "retry_after_seconds", None))
