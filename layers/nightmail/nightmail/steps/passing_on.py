"""Which lines of a shard pass on when its provider does no more, and who is asked next. Pure.

What may heal is asked again of the same deployment, as often as its `num_retries` say; what was refused
for good, of the next fallback. A line that is to be paid, or may have been, stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from nightmail.batch import Batch
from nightmail.bill import TakenLane
from nightmail.deployment import Deployment, Lane
from nightmail.engine.falling_back import may_fall_back
from nightmail.engine.tries import DEFAULT_RETRIES
from nightmail.outcome import Kind, Outcome
from nightmail.part import OWED, Ending, why_to_stop
from nightmail.providers.base import FormatOf
from nightmail.providers.http import NEVER_HEALS
from nightmail.providers.registry import can_cancel, direct_endpoints, has_native_lane
from nightmail.shard import Shard
from nightmail.steps.deadline import is_waited_for, native_seconds_left

# An execution has 25,000 events, of which a native round takes up to some hundreds.
MOST_NATIVE_ROUNDS = 20
_MAY_HEAL = frozenset({408, 409, 425, 429})
_SERVERS_FAULT = 500
_EXPIRED = OWED[Ending.EXPIRED]["code"]
_TIMED_OUT = "request_timeout"


class Reason(IntEnum):
    """Why a line passes on."""

    RETRY = 1  # it may heal
    EXPIRED = 2  # it was not run in time
    REFUSED = 3  # for good, by this deployment
    SHARD_REFUSED = 4  # with all the others
    UNFIT = 5  # for a batch of this deployment, with all the others


@dataclass(frozen=True)
class Destination:
    """Who is asked next, by which lane, after how many tries there, and who after that.

    `can_call` tells whether the direct lane is open to what is too little for a provider's batch.
    """

    deployment: Deployment
    lane: TakenLane
    can_call: bool
    tries: int
    fallbacks: tuple[Deployment, ...]


def reason_of(outcome: Outcome) -> Reason | None:
    """Why the line of an outcome may pass on, or None where that is its end."""
    if outcome.kind is Kind.REFUSED:
        return _reason_of_refusal(outcome.response or {})
    if outcome.kind is Kind.FAILED:
        return {_EXPIRED: Reason.EXPIRED, _TIMED_OUT: Reason.RETRY}.get(_code_in(outcome.error))
    return None


def reason_of_silence(shard: Shard) -> Reason | None:
    """Why lines of an ended shard pass on of which its provider said nothing, if they do.

    Where there were results, a line that is not among them may have been paid all the same.
    """
    if shard.is_unfit:
        return Reason.UNFIT
    if shard.provider_output_ids:
        return None
    return {
        Ending.EXPIRED: Reason.EXPIRED,
        Ending.FAILED: Reason.SHARD_REFUSED,
        Ending.LOST: Reason.SHARD_REFUSED,
    }.get(shard.ending or Ending.COMPLETED)


class PassingOn:
    """The rules for one shard at one moment."""

    def __init__(self, batch: Batch, shard: Shard, format_of: FormatOf, now: int) -> None:
        self._batch = batch
        self._shard = shard
        self._format_of = format_of
        self._now = now

    def destinations(self, counts: Mapping[Reason, int]) -> dict[Reason, Destination]:
        """Where lines go, of which there are so many for each reason; a reason without one stays."""
        if why_to_stop(self._batch, self._now):
            return {}
        found = {reason: self._destination(reason, counts) for reason in counts}
        return {reason: place for reason, place in found.items() if place}

    def _destination(self, reason: Reason, counts: Mapping[Reason, int]) -> Destination | None:
        healing = self._healing()
        if reason in healing:
            again = self._again(counts, healing)
            if again:
                return again
        own = self._called() if reason is Reason.UNFIT else None
        return own or self._fallback(reason, counts[reason])

    def _healing(self) -> set[Reason]:
        wanted = self._shard.deployment.num_retries
        retries = DEFAULT_RETRIES if wanted is None else wanted
        has_tries = self._shard.tries < retries
        return {Reason.EXPIRED, Reason.RETRY} if has_tries else {Reason.EXPIRED}

    def _again(self, counts: Mapping[Reason, int], healing: set[Reason]) -> Destination | None:
        """All that may heal goes together."""
        shard = self._shard
        lines = sum(counts.get(reason, 0) for reason in healing)
        is_retry = Reason.RETRY in healing and counts.get(Reason.RETRY, 0) > 0
        return self._at(shard.deployment, lines, shard.tries + is_retry, shard.fallbacks)

    def _called(self) -> Destination | None:
        """The direct lane of the same deployment: not every model of a provider has its batches."""
        shard = self._shard
        if not self._can_call(shard.deployment):
            return None
        return Destination(
            shard.deployment,
            lane="direct",
            can_call=True,
            tries=shard.tries,
            fallbacks=tuple(shard.fallbacks),
        )

    def _fallback(self, reason: Reason, lines: int) -> Destination | None:
        """The first that has a lane. Siblings of the same name would refuse the same line."""
        others: Sequence[Deployment] = self._shard.fallbacks
        if reason is Reason.REFUSED:
            others = [each for each in others if each.name != self._shard.deployment.name]
        tried = (self._at(each, lines, 0, others[at:]) for at, each in enumerate(others, 1))
        return next(filter(None, tried), None)

    def _at(
        self, deployment: Deployment, lines: int, tries: int, fallbacks: Sequence[Deployment]
    ) -> Destination | None:
        """So many lines at a deployment, if it has a lane for them."""
        can_call = self._can_call(deployment)
        is_native = self._lane_of(deployment) != "direct" and self._goes_natively(
            deployment, lines, can_call=can_call
        )
        if not is_native and not can_call:
            return None
        lane: TakenLane = "native" if is_native else "direct"
        return Destination(deployment, lane, can_call, tries, tuple(fallbacks))

    def _lane_of(self, deployment: Deployment) -> Lane:
        return self._batch.lane or deployment.lane

    def _can_call(self, deployment: Deployment) -> bool:
        is_wanted = self._lane_of(deployment) != "native"
        return is_wanted and self._shard.endpoint in direct_endpoints(deployment.provider)

    def _goes_natively(self, deployment: Deployment, lines: int, *, can_call: bool) -> bool:
        if not has_native_lane(deployment) or self._shard.round >= MOST_NATIVE_ROUNDS:
            return False
        lane = self._format_of(deployment)
        left = native_seconds_left(self._batch, self._now)
        if self._shard.endpoint not in lane.endpoints or left <= 0:
            return False
        window, can_stop = lane.limits.window_seconds, can_cancel(deployment)
        if not can_call:
            return can_stop or is_waited_for(self._batch, self._now, window)
        can_finish = self._batch.on_deadline == "finish_direct" and can_stop
        return (window <= left or can_finish) and lines >= lane.limits.minimum_lines


def _reason_of_refusal(response: Mapping[str, object]) -> Reason | None:
    status = response.get("status_code")
    if not isinstance(status, int):
        return None
    body = response.get("body")
    code = _code_in(body.get("error") if isinstance(body, dict) else None)
    if (status in _MAY_HEAL or status >= _SERVERS_FAULT) and code not in NEVER_HEALS:
        return Reason.RETRY
    return Reason.REFUSED if may_fall_back(status, code) else None


def _code_in(error: object) -> str:
    return str(error.get("code")) if isinstance(error, dict) else ""
