"""State PollShard: ask the provider how far it is; ask it to stop where the batch wants no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import MAX_ERRORS, Batch, BatchError
from nightmail.errors import ConfigError, ProviderError, ProviderNotFound
from nightmail.part import Ending, refused_by, why_to_stop
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, GivenBack, Phase, Progress
from nightmail.providers.registry import can_cancel
from nightmail.shard import Shard, ShardState
from nightmail.steps.adoption import intent_of, is_still_ours
from nightmail.steps.deadline import in_time, is_finishing, is_left
from nightmail.steps.input_lines import renumbered
from nightmail.steps.passing_on import Reason, reason_of_silence
from nightmail.steps.shard_work import Courier, ShardWork, find_part, next_of
from nightmail.steps.waits import (
    GRACE_SECONDS,
    PATIENCE,
    STOPPING_SECONDS,
    overtime_seconds,
    poll_again,
    try_again,
)
from nightmail.telemetry import logger

# The queue of a provider empties slowly: the first wait is 20 seconds.
_FIRST_RETURN = 2
_ANOTHERS = (
    "The provider's batch that this shard had adopted after an unclear answer turned out to be another's."
    " Nothing was submitted again."
)


def poll_shard(task: ShardTask, courier: Courier) -> StepResult:
    """Where to go next: POLL again, COLLECT, SUBMIT (the provider gave it back), or what the track
    has come to otherwise.
    """
    found = find_part(task, courier.stores)
    if found is None:
        return StepResult(next=Next.DONE)
    batch, part = found
    if not isinstance(part, Shard) or next_of(part) is not Next.POLL:
        return StepResult(next=next_of(part))
    step = _Poll(batch, part, courier).run()
    return in_time(batch, courier.clock(), step)


class _Poll(ShardWork):
    def __init__(self, batch: Batch, shard: Shard, courier: Courier) -> None:
        super().__init__(batch, shard, courier)
        self._id = shard.provider_batch_id or ""
        self._at = courier.clock()
        self._stopping = why_to_stop(batch, self._at)
        self._unwanted = self._why_unwanted()

    def run(self) -> StepResult:
        if not is_still_ours(self._stores.claims, self._shard):
            return self._quarantine(_ANOTHERS)
        try:
            provider = self._courier.provider_of(self._shard.deployment)
            if self._unwanted and self._may_cancel:
                self._cancel(provider)
            progress = provider.poll(self._id)
            if progress.is_overdue and self._may_cancel:
                self._cancel(provider)
            return self._take(progress)
        except (ProviderError, ConfigError) as error:
            return self._failed(error)

    def _why_unwanted(self) -> Ending | None:
        """Why the provider is to stop: the batch wants no more, or its lines are finished directly.

        Lines of a batch that runs on are not: they might be paid twice.
        """
        is_finished_directly = is_finishing(self._batch, self._at) and not self._runs_on
        if self._stopping or not is_finished_directly:
            return self._stopping
        return Ending.EXPIRED if self._destination(Reason.EXPIRED) else None

    @property
    def _runs_on(self) -> bool:
        """Whether we stop waiting and it is not stopped: what was adopted by its looks may be a
        stranger's, and not all providers can.
        """
        return self._shard.is_adopted or not can_cancel(self._shard.deployment)

    @property
    def _may_cancel(self) -> bool:
        return self._shard.cancel_asked_at is None and not self._runs_on

    def _cancel(self, provider: BatchProvider) -> None:
        """Whatever comes of it, the batch is looked at: it may have ended by itself."""
        try:
            provider.cancel(self._id)
        except ProviderError as error:
            logger.warning("provider batch not cancelled", extra={"reason": error.message})
            if error.retryable:
                return
        self._save(cancel_asked_at=self._at)

    def _take(self, progress: Progress) -> StepResult:
        logger.info("provider batch seen", extra={"provider_status": progress.status})
        if progress.phase is Phase.RUNNING:
            return self._running(progress)
        if progress.ending is Ending.FAILED and not progress.output_ids:
            return self._refused(progress)
        is_our_doing = progress.ending is Ending.CANCELLED and self._unwanted
        ending = self._unwanted if is_our_doing else progress.ending
        if self._results_lag(progress, ending):
            rereads = self._shard.rereads
            self._note(progress, rereads=rereads + 1, attempts=0)
            return try_again(Next.POLL, rereads)
        return self._end(progress, ending)

    def _running(self, progress: Progress) -> StepResult:
        ending = self._given_up()
        if ending:
            return self._end(progress, ending)
        self._note(progress, attempts=0)
        since = self._shard.cancel_asked_at or self._shard.submitted_at or self._at
        return poll_again(self._at - since)

    @property
    def _patience_seconds(self) -> int:
        """A batch that agreed to stop will show what it has, and so will one that is left to run."""
        has_agreed = self._shard.cancel_asked_at is not None
        return STOPPING_SECONDS if has_agreed or self._runs_on else GRACE_SECONDS

    def _given_up(self) -> Ending | None:
        """The provider had time to stop and did not: the deadline ends it."""
        if self._stopping:
            is_over = overtime_seconds(self._batch, self._at) >= self._patience_seconds
        else:
            is_over = is_left(self._batch, self._at)
        return self._unwanted if is_over else None

    def _results_lag(self, progress: Progress, ending: Ending | None) -> bool:
        """Whether there have to be results that are not shown yet, or may be where that matters."""
        if progress.output_ids or self._shard.rereads >= PATIENCE:
            return False
        if ending is Ending.COMPLETED or progress.completed:
            return True
        reason = reason_of_silence(self._shard.changed(ending=ending, provider_output_ids=[]))
        would_pass_on = reason is not None and self._destination(reason) is not None
        return would_pass_on and not self._given_up()

    def _refused(self, progress: Progress) -> StepResult:
        """The provider's batch failed as a whole, and it says why."""
        if self._stopping:
            return self._stop(self._stopping, [])
        errors = self._errors_of(progress) or [_no_reason(self._shard)]
        if progress.given_back is GivenBack.QUEUE_FULL:
            return self._submit_again(progress, errors)
        if progress.given_back is GivenBack.FILE_LOST and self._shard.returns < PATIENCE:
            return self._submit_again(progress, errors, provider_file_id=None)
        return self._give_up(Ending.FAILED, errors)

    def _submit_again(
        self, progress: Progress, errors: Sequence[BatchError], **changes: Any
    ) -> StepResult:
        returns = self._shard.returns
        self._save(
            state=ShardState.PLANNED,
            provider_batch_id=None,
            is_adopted=False,
            cancel_asked_at=None,
            provider_status=progress.status,
            returns=returns + 1,
            last_refusal=errors[0].message,
            **changes,
        )
        return try_again(Next.SUBMIT, returns + _FIRST_RETURN)

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        """Nothing was learned: again, until patience or the batch's time is at its end."""
        logger.warning("provider batch not seen", extra={"reason": error.message})
        attempts, given_up = self._shard.attempts, self._given_up()
        if given_up:
            return self._give_up(given_up, [])
        if not error.retryable and attempts >= PATIENCE:
            return self._lost(error)
        self._save(attempts=attempts + 1, last_refusal=error.message)
        return try_again(Next.POLL, attempts, getattr(error, "retry_after_seconds", None))

    def _lost(self, error: ProviderError | ConfigError) -> StepResult:
        """A batch that its provider does not know, nor lists, runs no more; any other may still be paid."""
        has_vanished = isinstance(error, ProviderNotFound) and self._is_unlisted()
        end = self._give_up if has_vanished else self._stop
        return end(Ending.LOST, [refused_by(error)])

    def _is_unlisted(self) -> bool:
        """Whether the provider lists its batches, and this is none of them."""
        try:
            provider = self._courier.provider_of(self._shard.deployment)
            return self._id not in provider.find(intent_of(self._shard))
        except (ProviderError, ConfigError) as error:
            logger.warning("batches not listed", extra={"reason": error.message})
            return False

    def _end(self, progress: Progress, ending: Ending | None) -> StepResult:
        self._note(
            progress,
            state=ShardState.ENDED,
            ending=ending,
            errors=self._errors_of(progress),
            provider_output_ids=progress.output_ids,
            attempts=0,
        )
        return StepResult(next=Next.COLLECT)

    def _note(self, progress: Progress, **changes: Any) -> None:
        """Keep what the provider reports; its figures may lag, ours never go back."""
        lines, shard = self._shard.lines, self._shard
        completed = min(lines, max(shard.reported_completed, progress.completed))
        failed = min(lines - completed, max(shard.reported_failed, progress.failed))
        known = shard.provider_status, shard.reported_completed, shard.reported_failed
        is_news = known != (progress.status, completed, failed)
        self._save(
            provider_status=progress.status,
            reported_completed=completed,
            reported_failed=failed,
            progressed_at=self._at if is_news else shard.progressed_at,
            last_refusal=None,
            **changes,
        )

    def _errors_of(self, progress: Progress) -> list[BatchError]:
        errors = progress.errors[:MAX_ERRORS]
        return renumbered(errors, self._shard, self._stores.objects)


def _no_reason(shard: Shard) -> BatchError:
    message = f"{shard.deployment.provider} failed the batch and gave no reason."
    return BatchError(code="provider_error", message=message)
