"""How long to wait before the next look, and the answers that say so."""

from __future__ import annotations

from collections.abc import Callable

from nightmail.payloads import Next, StepResult

Clock = Callable[[], int]  # Unix seconds
TimeIsUp = Callable[[], bool]  # the invocation has to stop soon

LONGEST_WAIT_SECONDS = 900
_SHORTEST_WAIT_SECONDS = 5


def poll_again(waited_seconds: int) -> StepResult:
    """An eighth of the time waited so far: a short batch is noticed soon, a long one costs little."""
    return StepResult(next=Next.POLL, wait_seconds=_bounded(waited_seconds // 8))


def try_again(step: Next, attempts: int, retry_after_seconds: float | None) -> StepResult:
    """Twice as long each time, and never before the provider wants to be asked again."""
    backoff = _SHORTEST_WAIT_SECONDS * 2 ** min(attempts, 10)
    wait = _bounded(max(backoff, round(retry_after_seconds or 0)))
    return StepResult(next=step, wait_seconds=wait)


def _bounded(seconds: int) -> int:
    return max(_SHORTEST_WAIT_SECONDS, min(LONGEST_WAIT_SECONDS, seconds))
