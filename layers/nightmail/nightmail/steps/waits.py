"""How long to wait before the next look, and the answers that say so."""

from __future__ import annotations

import math
from collections.abc import Callable

from nightmail.batch import Batch
from nightmail.payloads import Next, StepResult

Clock = Callable[[], int]  # Unix seconds
TimeIsUp = Callable[[], bool]  # the invocation has to stop soon

# A provider is given this long to be reached when its batch is to stop.
GRACE_SECONDS = 900
# One that was asked to stop shows what it answered when it has stopped: OpenAI says within 10 minutes,
# Anthropic says nothing. What came too late would be paid and not delivered.
STOPPING_SECONDS = 3 * 3600
PATIENCE = 6  # tries of what may heal by itself: five minutes in all
_LONGEST_WAIT_SECONDS = 900  # so that a cancelled batch is not waiting for a day
SHORTEST_WAIT_SECONDS = 5


def poll_again(waited_seconds: int) -> StepResult:
    """An eighth of the time waited so far: a short batch is noticed soon, a long one costs little."""
    return StepResult(next=Next.POLL, wait_seconds=_bounded(waited_seconds // 8))


def try_again(step: Next, attempts: int, retry_after_seconds: float | None = None) -> StepResult:
    """Twice as long each time, and no shorter than the provider wants, within the longest wait."""
    backoff = SHORTEST_WAIT_SECONDS * 2 ** min(attempts, 10)
    wanted = math.ceil(retry_after_seconds or 0)
    return StepResult(next=step, wait_seconds=_bounded(max(backoff, wanted)))


def overtime_seconds(batch: Batch, now: int) -> int:
    """How long ago the batch was cancelled, or else ran out of time; less than 0 before."""
    return now - (batch.cancelling_at or batch.expires_at)


def _bounded(seconds: int) -> int:
    return max(SHORTEST_WAIT_SECONDS, min(_LONGEST_WAIT_SECONDS, seconds))
