"""State SubmitShard: hand one shard to its provider, once.

The intent is written before the call that pays. Where the answer is lost, the next attempt looks for
the batch and adopts it; only when it was not there in `LOOKS` looks, with a wait between them, is it
submitted again. Where it can't tell whether a batch is the shard's, it stops the shard.
"""

from __future__ import annotations

from contextlib import suppress

from nightmail.batch import BatchError
from nightmail.errors import (
    ConfigError,
    LeaseLost,
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderUnclear,
    StorageError,
)
from nightmail.part import Ending, refused_by, why_to_stop
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, ShardInput
from nightmail.providers.registry import can_cancel
from nightmail.shard import Shard, ShardState
from nightmail.steps.adoption import Unclear, own_batch, tag_of, take_claim
from nightmail.steps.deadline import in_time, is_finishing, is_waited_for
from nightmail.steps.passing_on import Reason
from nightmail.steps.shard_work import Courier, ShardWork, find_part, next_of
from nightmail.steps.waits import (
    GRACE_SECONDS,
    PATIENCE,
    overtime_seconds,
    poll_again,
    try_again,
)
from nightmail.telemetry import logger

LOOKS = 2
# After an unclear answer a batch may take a while to be listed.
_FIRST_LOOK = 3  # as if three tries had failed: after 40 seconds
_NO_LIST = (
    "It is not clear whether the provider has started this shard, and its batches cannot be listed."
    " Nothing was submitted again."
)
_TOO_LATE = BatchError(
    code="window_too_short",
    message="This provider stops no batch, and its own window is longer than what is left of the"
    " completion window. Nothing was submitted: create the batch with a longer completion_window, or"
    " let the model be called directly.",
)
# A model or a file that the provider has no batches for; a key that is refused will call nothing either.
_UNFIT = frozenset({400, 404, 413, 422})
_HELD = StepResult(next=Next.SUBMIT, wait_seconds=30)


def submit_shard(task: ShardTask, courier: Courier, lease_seconds: int) -> StepResult:
    """Where to go next: POLL, SUBMIT again after a wait, COLLECT where others take over its lines, or
    what the track has come to otherwise.
    """
    found = find_part(task, courier.stores)
    if found is None:
        return StepResult(next=Next.DONE)
    batch, part = found
    if not isinstance(part, Shard) or next_of(part) is not Next.SUBMIT:
        return StepResult(next=next_of(part))
    try:
        held = courier.stores.parts.hold(part, courier.clock(), lease_seconds)
        submission = _Submission(batch, held, courier)
        step = submission.run_or_give_back()
    except LeaseLost:  # another attempt is alive, and knows better
        step = _HELD
    return in_time(batch, courier.clock(), step)


class _Submission(ShardWork):
    """One attempt, by the holder of the lease."""

    def run_or_give_back(self) -> StepResult:
        """After a break-off the next attempt need not wait until the lease runs out."""
        try:
            return self._run()
        except LeaseLost:
            raise
        except Exception:
            with suppress(StorageError):
                self._release()
            raise

    def _run(self) -> StepResult:
        try:
            return self._adopt_or_submit(self._courier.provider_of(self._shard.deployment))
        except ProviderUnclear as error:
            logger.warning("submission unclear", extra={"reason": error.message})
            return self._look_later()
        except Unclear as error:
            return self._quarantine(error.message)
        except (ProviderError, ConfigError) as error:
            return self._failed(error)

    def _adopt_or_submit(self, provider: BatchProvider) -> StepResult:
        if self._shard.state is ShardState.SUBMITTING:
            found = self._look(provider)
            if found:
                return self._submitted(provider, found, is_adopted=not provider.is_tagged)
            if self._shard.looks < LOOKS:
                return self._look_later()
        ending = self._why_not()
        if ending:
            return self._give_up(ending, [])
        if self._would_be_lost():
            return self._give_up(Ending.EXPIRED, [_TOO_LATE])
        return self._submit(provider)

    def _why_not(self) -> Ending | None:
        now = self._now()
        ending = why_to_stop(self._batch, now)
        if ending or not is_finishing(self._batch, now):
            return ending
        return Ending.EXPIRED if self._destination(Reason.EXPIRED) else None

    def _would_be_lost(self) -> bool:
        """Whether it may be run, and paid, after nobody waits for its results any more."""
        deployment = self._shard.deployment
        window_seconds = self._courier.format_of(deployment).limits.window_seconds
        is_in_time = is_waited_for(self._batch, self._now(), window_seconds)
        return not is_in_time and not can_cancel(deployment)

    def _look(self, provider: BatchProvider) -> str | None:
        try:
            found = own_batch(self._shard, provider, self._stores.claims)
        except (ProviderNotFound, ProviderRejected) as error:
            raise Unclear(f"{_NO_LIST} {error.message}") from error
        if found is None:
            self._save(looks=self._shard.looks + 1)
        return found

    def _look_later(self) -> StepResult:
        attempts = self._shard.attempts
        self._release(attempts=attempts + 1)
        return try_again(Next.SUBMIT, attempts + _FIRST_LOOK)

    def _submit(self, provider: BatchProvider) -> StepResult:
        content, tag = self._content(), tag_of(self._shard)
        prepared = self._shard.provider_file_id or ""
        if self._shard.provider_file_id is None:
            prepared = provider.prepare(content, tag)
            self._save(provider_file_id=prepared)
        self._save(state=ShardState.SUBMITTING, intended_at=self._now(), looks=0)
        try:
            started = provider.submit(prepared, content, self._shard.endpoint, tag)
        except ProviderUnclear:
            raise
        except ProviderError:  # it said no: nothing was started
            self._save(state=ShardState.PLANNED)
            raise
        return self._submitted(provider, started, is_adopted=False)

    def _content(self) -> ShardInput:
        segments = self._shard.input
        return ShardInput(
            read=lambda: self._stores.objects.chunks(segments),
            size=sum(segment.size for segment in segments),
            lines=self._shard.lines,
        )

    def _submitted(
        self, provider: BatchProvider, provider_batch_id: str, *, is_adopted: bool
    ) -> StepResult:
        claims, now = self._stores.claims, self._now()
        is_ours = take_claim(claims, self._shard, provider_batch_id, now, certain=not is_adopted)
        if not is_ours and is_adopted:  # whose it is, has been told meanwhile
            return self._look_later()
        if not is_ours:
            raise Unclear(
                "The provider named a batch that was submitted before. Nothing was submitted again."
            )
        try:
            self._release(
                state=ShardState.SUBMITTED,
                provider_batch_id=provider_batch_id,
                is_adopted=is_adopted,
                submitted_at=now,
                patience_seconds=self._patience_seconds(),
                attempts=0,
                last_refusal=None,
            )
        except LeaseLost:
            self._cancel_where_stopped(provider, provider_batch_id)
            raise
        return poll_again(0)

    def _patience_seconds(self) -> int | None:
        """How long the provider may report nothing new: a quarter of the time that there is."""
        known = self._courier.format_of(self._shard.deployment)
        window_seconds = self._batch.expires_at - self._batch.created_at
        return min(known.limits.window_seconds, window_seconds) // 4 if known.live_counts else None

    def _cancel_where_stopped(self, provider: BatchProvider, provider_batch_id: str) -> None:
        """The shard was abandoned while we submitted it: nobody else will cancel what we started."""
        latest = self._parts.again(self._shard)
        if latest.is_over:
            provider.cancel(provider_batch_id)

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        attempts = self._shard.attempts
        may_heal = isinstance(error, ProviderGarbled) and attempts < PATIENCE
        if not error.retryable and not may_heal:
            return self._refused(error)
        if overtime_seconds(self._batch, self._now()) >= GRACE_SECONDS:
            return self._stop(why_to_stop(self._batch, self._now()) or Ending.EXPIRED, [])
        logger.warning("not submitted", extra={"reason": error.message})
        self._release(attempts=attempts + 1, last_refusal=error.message)
        return try_again(Next.SUBMIT, attempts, getattr(error, "retry_after_seconds", None))

    def _refused(self, error: ProviderError | ConfigError) -> StepResult:
        if self._shard.state is ShardState.SUBMITTING:
            return self._quarantine(f"{_NO_LIST} {error.message}")
        is_unfit = isinstance(error, ProviderError) and error.meaning in _UNFIT
        return self._give_up(Ending.FAILED, [refused_by(error)], is_unfit=is_unfit)
