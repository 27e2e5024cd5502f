"""Which deployment a call asks next, when, and when it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from nightmail.engine.backoff import backoff_seconds
from nightmail.engine.call import Call
from nightmail.engine.falling_back import is_callers_own
from nightmail.engine.lane import LONGEST_WAIT_SECONDS, Lane, is_throttle, slows_down
from nightmail.errors import ConfigError, GatewayError, ProviderError, ProviderRejected

DEFAULT_RETRIES = 2
PATIENCE_SECONDS = 60.0  # providers' limits are per minute
MOST_THROTTLES = 20

Choose = Callable[[Sequence[Lane]], Lane]
"""Takes one of several deployments that could be asked as well."""


class Tries:
    """What one call has been through.

    What may heal is tried up to `num_retries` times more (the call's, else the deployment's, else 2).
    A 429 or 529 is no such retry while its deployment has answered anybody well within the last minute: then
    the calls are merely too many at a time, the deployment's pace finds out how many it takes, and
    each gets its turn. A call that is refused so 20 times while others pass is itself too much, and
    fails. `num_retries` of 0 means one request, whatever comes.

    A deployment that refuses for good leaves the call to the others, and costs no retry.
    """

    __slots__ = (
        "_call", "_choose", "_deadline", "_failed", "_lanes", "_retries", "_throttles", "sent",
    )  # fmt: skip

    def __init__(self, call: Call, lanes: Sequence[Lane], deadline: float, choose: Choose) -> None:
        self.sent = 0  # requests
        self._call = call
        self._choose = choose
        self._deadline = deadline  # in the event loop's time
        self._lanes = lanes
        self._failed: list[Lane] = []
        self._retries = 0
        self._throttles = 0

    def lane(self) -> Lane:
        """The deployment to ask now: one of the least busy, those in trouble last."""
        if len(self._lanes) == 1:
            return self._lanes[0]
        now = self._now()
        ranks = [(*self._trouble(lane, now), lane.busy) for lane in self._lanes]
        best = min(ranks)
        equal = [lane for lane, rank in zip(self._lanes, ranks, strict=True) if rank == best]
        return self._choose(equal)

    async def survive(self, lane: Lane, error: GatewayError) -> None:
        """Wait until the call may be tried again. Raises `error` where it may not."""
        if not isinstance(error, ProviderError) or not self._heals(error):
            self._leave_to_others(lane, error)
            return
        if self._retries_used_up(lane, error):
            raise error
        self._failed.append(lane)
        seconds = self._wait_seconds(error)
        if self._now() + seconds >= self._deadline:
            raise error
        if seconds:
            await asyncio.sleep(seconds)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _trouble(self, lane: Lane, now: float) -> tuple[bool, bool, bool]:
        return lane.refused, lane.paused_until > now, lane in self._failed

    def _heals(self, error: ProviderError) -> bool:
        """Whether waiting helps, and no longer than anybody may wait."""
        seconds = error.retry_after_seconds or 0.0
        in_time = self._now() + seconds < self._deadline
        return error.retryable and in_time and seconds <= LONGEST_WAIT_SECONDS

    def _leave_to_others(self, lane: Lane, error: GatewayError) -> None:
        others = [other for other in self._lanes if other is not lane]
        if not others or _is_callers_fault(error):
            raise error
        lane.refused = lane.refused or isinstance(error, ProviderRejected | ConfigError)
        self._lanes = others

    def _retries_used_up(self, lane: Lane, error: ProviderError) -> bool:
        allowed = self._allowed(lane)
        if allowed and is_throttle(error) and self._now() - lane.good_at < PATIENCE_SECONDS:
            self._throttles += 1
            return self._throttles > MOST_THROTTLES
        self._retries += 1
        return self._retries > allowed

    def _allowed(self, lane: Lane) -> int:
        for wanted in (self._call.num_retries, lane.deployment.num_retries):
            if wanted is not None:
                return wanted
        return DEFAULT_RETRIES

    def _wait_seconds(self, error: ProviderError) -> float:
        """0 where the pace waits, or another deployment can be asked at once."""
        now = self._now()
        if slows_down(error) or any(not any(self._trouble(lane, now)) for lane in self._lanes):
            return 0.0
        return backoff_seconds(self._retries - 1)


def _is_callers_fault(error: GatewayError) -> bool:
    return isinstance(error, ProviderRejected) and is_callers_own(error.http_status, error.code)
