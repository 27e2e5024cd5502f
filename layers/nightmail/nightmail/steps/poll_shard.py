"""State PollShard: ask the provider how far it is; ask it to stop where the batch wants no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import Batch, BatchError
from nightmail.errors import ConfigError, ProviderError, ProviderNotFound
from nightmail.lines import cut_lines
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, Phase, Progress
from nightmail.shard import Ending, Shard, ShardState, refused_by, why_to_stop
from nightmail.steps.again import Clock, poll_again, try_again
from nightmail.steps.submit_shard import ROUTES, ProviderOf
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

# A provider is given this long to stop a batch; OpenAI says up to 10 minutes.
CANCEL_GRACE_SECONDS = 900
# Ids of new batches and results of ended ones may lag: this many more looks.
PATIENCE = 4
_QUEUE_FULL = "token_limit_exceeded"


def poll_shard(
    task: ShardTask, stores: Stores, provider_of: ProviderOf, clock: Clock
) -> StepResult:
    """Where to go next: POLL again, COLLECT, SUBMIT (the provider's queue was full) or DONE."""
    batch = stores.batches.get(task.owner, task.batch_id)
    shard = stores.shards.get(task.batch_id, task.shard)
    if shard.state is not ShardState.SUBMITTED or shard.provider_batch_id is None:
        return StepResult(next=ROUTES.get(shard.state, Next.SUBMIT))
    return _Poll(batch, shard, shard.provider_batch_id, stores, clock).run(provider_of)


class _Poll:
    def __init__(
        self, batch: Batch, shard: Shard, provider_batch_id: str, stores: Stores, clock: Clock
    ) -> None:
        self._batch = batch
        self._shard = shard
        self._id = provider_batch_id
        self._stores = stores
        self._now = clock()

    def run(self, provider_of: ProviderOf) -> StepResult:
        try:
            provider = provider_of(self._shard.deployment)
            self._cancel_where_wanted(provider)
            return self._take(provider.poll(self._id))
        except ProviderNotFound as error:
            return self._vanished(error)
        except (ProviderError, ConfigError) as error:
            return self._failed(error)

    def _cancel_where_wanted(self, provider: BatchProvider) -> None:
        if self._shard.cancel_asked_at is None and why_to_stop(self._batch, self._now):
            provider.cancel(self._id)
            self._save(cancel_asked_at=self._now)

    def _take(self, progress: Progress) -> StepResult:
        if progress.phase is Phase.RUNNING:
            return self._running(progress)
        if progress.ending is Ending.FAILED:
            return self._refused(progress)
        if self._results_lag(progress):
            self._note(progress, attempts=self._shard.attempts + 1)
            return try_again(Next.POLL, self._shard.attempts, None)
        self._end(progress, progress.ending or Ending.COMPLETED)
        return StepResult(next=Next.COLLECT)

    def _running(self, progress: Progress) -> StepResult:
        ending = self._given_up()
        if ending:
            self._end(progress, ending)
            return StepResult(next=Next.COLLECT)
        self._note(progress, attempts=0)
        return poll_again(self._now - (self._shard.submitted_at or self._now))

    def _given_up(self) -> Ending | None:
        """The provider had time to stop and did not: the deadline ends it."""
        ending = why_to_stop(self._batch, self._now)
        since = self._batch.cancelling_at or self._batch.expires_at
        return ending if ending and self._now >= since + CANCEL_GRACE_SECONDS else None

    def _results_lag(self, progress: Progress) -> bool:
        return (
            progress.ending is Ending.COMPLETED
            and not progress.output_ids
            and self._shard.attempts < PATIENCE
        )

    def _refused(self, progress: Progress) -> StepResult:
        errors = _renumbered(progress.errors, self._shard, self._stores.objects)
        queue_full = any(error.code == _QUEUE_FULL for error in errors)
        if queue_full and not why_to_stop(self._batch, self._now):
            attempts = self._shard.attempts
            self._save(
                state=ShardState.PLANNED,
                provider_batch_id=None,
                provider_status=progress.status,
                attempts=attempts + 1,
            )
            return try_again(Next.SUBMIT, attempts + 2, None)
        return self._stop(Ending.FAILED, errors or [_no_reason(self._shard)])

    def _vanished(self, error: ProviderNotFound) -> StepResult:
        attempts = self._shard.attempts
        if attempts < PATIENCE:
            self._save(attempts=attempts + 1)
            return try_again(Next.POLL, attempts, error.retry_after_seconds)
        return self._stop(Ending.LOST, [refused_by(error)])

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        ending = self._given_up()
        if ending:
            return self._stop(ending, [])
        attempts = self._shard.attempts
        if not error.retryable and attempts >= PATIENCE:
            return self._stop(Ending.LOST, [refused_by(error)])
        self._save(attempts=attempts + 1)
        return try_again(Next.POLL, attempts, getattr(error, "retry_after_seconds", None))

    def _end(self, progress: Progress, ending: Ending) -> None:
        self._note(
            progress,
            state=ShardState.ENDED,
            ending=ending,
            provider_output_ids=progress.output_ids,
            attempts=0,
        )

    def _note(self, progress: Progress, **changes: Any) -> None:
        """Keep what the provider reports; its figures may lag, ours never go back."""
        lines, shard = self._shard.lines, self._shard
        completed = min(lines, max(shard.reported_completed, progress.completed))
        failed = min(lines - completed, max(shard.reported_failed, progress.failed))
        self._save(
            provider_status=progress.status,
            reported_completed=completed,
            reported_failed=failed,
            **changes,
        )

    def _stop(self, ending: Ending, errors: list[BatchError]) -> StepResult:
        logger.warning("shard stopped", extra={"ending": ending, "errors": len(errors)})
        failed = self._shard.lines
        self._save(state=ShardState.STOPPED, ending=ending, errors=errors, failed=failed)
        return StepResult(next=Next.DONE)

    def _save(self, **changes: Any) -> None:
        self._shard = self._stores.shards.save(self._shard.model_copy(update=changes))


def _no_reason(shard: Shard) -> BatchError:
    message = f"{shard.deployment.provider} failed the batch and gave no reason."
    return BatchError(code="provider_error", message=message)


def _renumbered(
    errors: Sequence[BatchError], shard: Shard, objects: ObjectStore
) -> list[BatchError]:
    """The provider counts the lines of its shard; our caller counts those of the file."""
    wanted = {error.line for error in errors if error.line}
    if not wanted:
        return list(errors)
    rows = enumerate(cut_lines(objects.chunks(shard.index)), 1)
    numbers = {
        at: int(row.content.split(b" ", 1)[0]) for at, row in rows if at in wanted and row.content
    }
    return [
        error.model_copy(update={"line": numbers.get(error.line)}) if error.line else error
        for error in errors
    ]
