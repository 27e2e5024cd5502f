"""The end of a batch's window where `on_deadline` is `finish_direct`.

A while before it, what the native lane still owes is cancelled there; what did not stop after half of
that while is left; and the owed lines are called directly.
"""

from __future__ import annotations

from nightmail.batch import Batch
from nightmail.payloads import StepResult
from nightmail.steps.waits import SHORTEST_WAIT_SECONDS, STOPPING_SECONDS

_SHARE = 12
_SHORTEST_SECONDS = 1800  # half of it is longer than OpenAI may take to stop a batch: 10 minutes
_LONGEST_SECONDS = 7200


def is_finishing(batch: Batch, now: int) -> bool:
    """Whether lines are finished directly from now on."""
    start = _finish_from(batch)
    return start is not None and now >= start


def is_left(batch: Batch, now: int) -> bool:
    """Whether a provider that was asked to stop has had its time, and lines are not waiting for it."""
    start = _leave_from(batch)
    return start is not None and now >= start


def native_seconds_left(batch: Batch, now: int) -> int:
    """For how long the native lane may still work."""
    start = _finish_from(batch)
    return (batch.expires_at if start is None else start) - now


def is_waited_for(batch: Batch, now: int, window_seconds: int) -> bool:
    """Whether a provider's batch that begins now, takes its whole window and cannot be stopped would
    have ended before its results are given up.
    """
    return now + window_seconds <= batch.expires_at + STOPPING_SECONDS


def in_time(batch: Batch, now: int, step: StepResult) -> StepResult:
    """The same step, waiting no longer than until there is something to be done for the deadline."""
    moments = [each for each in (_finish_from(batch), _leave_from(batch)) if each and each > now]
    if not moments:
        return step
    most = max(SHORTEST_WAIT_SECONDS, min(moments) - now)
    return step.model_copy(update={"wait_seconds": min(step.wait_seconds, most)})


def _finish_from(batch: Batch) -> int | None:
    if batch.on_deadline != "finish_direct":
        return None
    return batch.expires_at - _finish_seconds(batch)


def _leave_from(batch: Batch) -> int | None:
    if batch.on_deadline != "finish_direct":
        return None
    return batch.expires_at - _finish_seconds(batch) // 2


def _finish_seconds(batch: Batch) -> int:
    share = (batch.expires_at - batch.created_at) // _SHARE
    return min(max(share, _SHORTEST_SECONDS), _LONGEST_SECONDS)
