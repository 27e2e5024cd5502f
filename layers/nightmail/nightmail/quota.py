"""What the workers of one deployment share: its limits, handed out in slices, and its 429s.

Requests and tokens a minute are a line of time: who takes some gets the next stretch of it for himself,
and stretches never overlap, however many workers take them. Parallel requests are slots, divided fairly
among the workers that are alive; who has too many gives them back as its calls end, and only then are
they another's. Times are Unix milliseconds. Everything here is pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from nightmail.deployment import Deployment

LATE_MS = 1000
"""So much later than it was handed out for may a request still go."""
# No 60 seconds see more than the limit, although requests go late and in small groups.
_MINUTE_MS = 60_000 + LATE_MS + 1000
_SHORTEST_INTERVAL_MS = 2000
_INTERVAL_MS_A_WORKER = 100  # at most ten writes a second, however many they are
_LIFE_INTERVALS = 6  # a worker that has not been heard of for so long is gone
_KEPT_SECONDS = 24 * 3600


class Worker(BaseModel):
    """Somebody alive: how many slots he wants, and how many are his."""

    wanted: int
    slots: int
    until: int


class Slowdown(BaseModel):
    """The latest 429: until when nobody asks, and how many calls a worker has in flight after it."""

    count: int = 0
    paused_until: int = 0
    limit: int = 1
    at: int = 0


class Quota(BaseModel):
    """One deployment's item. `fence` counts the writes."""

    v: Literal[1] = 1
    key: str
    fence: int = 0
    requests_until: int = 0  # up to when they have been handed out
    tokens_until: int = 0
    workers: dict[str, Worker] = Field(default_factory=dict)
    slowdown: Slowdown = Field(default_factory=Slowdown)
    delete_at: int = 0  # Unix seconds, the table's TTL attribute


@dataclass(frozen=True)
class Ask:
    """What a worker wants until it asks again. `in_flight` calls are under way."""

    worker: str
    requests: int
    tokens: int
    slots: int
    in_flight: int
    slowdown: Slowdown | None = None  # a 429 that nobody has been told of


@dataclass(frozen=True)
class Slice:
    """A stretch of time, and what may go in it, evenly."""

    start: int
    end: int
    units: int


@dataclass(frozen=True)
class Grant:
    """What a worker gets. `slots` is None where there is no limit of them."""

    requests: Slice | None
    tokens: Slice | None
    slots: int | None
    until: int
    interval_ms: int  # when to ask again


def quota_key(deployment: Deployment) -> str:
    """The same for every deployment that a provider counts together."""
    parts = (deployment.provider, deployment.api_base, deployment.model, deployment.api_key)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def is_limited(deployment: Deployment) -> bool:
    return bool(deployment.rpm or deployment.tpm or deployment.max_parallel_requests)


def exchange(quota: Quota, deployment: Deployment, ask: Ask, now: int) -> tuple[Quota, Grant]:
    """The quota after a worker has asked, and what it gets."""
    others = {
        name: worker
        for name, worker in quota.workers.items()
        if worker.until > now and name != ask.worker
    }
    workers = len(others) + 1
    interval_ms = max(_SHORTEST_INTERVAL_MS, _INTERVAL_MS_A_WORKER * workers)
    requests, requests_until = _next_slice(
        _Line(quota.requests_until, deployment.rpm), ask.requests, workers, interval_ms, now
    )
    tokens, tokens_until = _next_slice(
        _Line(quota.tokens_until, deployment.tpm), ask.tokens, workers, interval_ms, now
    )
    slots = _slots(deployment.max_parallel_requests, others, ask)
    until = now + _LIFE_INTERVALS * interval_ms
    own = Worker(wanted=ask.slots, slots=max(slots or 0, ask.in_flight), until=until)
    changed = quota.model_copy(
        update={
            "requests_until": requests_until,
            "tokens_until": tokens_until,
            "workers": {**others, ask.worker: own},
            "slowdown": _slowed(quota.slowdown, ask.slowdown, now),
            "delete_at": now // 1000 + _KEPT_SECONDS,
        }
    )
    return changed, Grant(requests, tokens, slots, until, interval_ms)


def without(quota: Quota, worker: str) -> Quota:
    """The quota after a worker has gone."""
    left = {name: each for name, each in quota.workers.items() if name != worker}
    return quota.model_copy(update={"workers": left})


def told(quota: Quota, news: Slowdown, now: int) -> Quota:
    """The quota after a 429 at a deployment without limits."""
    slowdown = _slowed(quota.slowdown, news, now)
    return quota.model_copy(update={"slowdown": slowdown, "delete_at": now // 1000 + _KEPT_SECONDS})


def _slowed(known: Slowdown, news: Slowdown | None, now: int) -> Slowdown:
    if news is None:
        return known
    paused_until = max(known.paused_until, news.paused_until)
    return Slowdown(count=known.count + 1, paused_until=paused_until, limit=news.limit, at=now)


def fair_shares(total: int, wanted: Mapping[str, int]) -> dict[str, int]:
    """`total` divided so that nobody gets more than he wants while another gets less than he."""
    shares, left = {}, total
    modest_first = sorted(wanted.items(), key=lambda each: (each[1], each[0]))
    for place, (name, most) in enumerate(modest_first):
        shares[name] = min(most, left // (len(wanted) - place))
        left -= shares[name]
    return shares


@dataclass(frozen=True)
class _Line:
    """A limit per minute, and up to when it has been handed out."""

    until: int
    per_minute: int | None


def _next_slice(
    line: _Line, wanted: int, workers: int, interval_ms: int, now: int
) -> tuple[Slice | None, int]:
    """The next stretch, and where the line ends then. Nobody takes what is far ahead."""
    start = max(line.until, now)
    if not line.per_minute or start > now + interval_ms:
        return None, line.until
    unit_ms = _MINUTE_MS / line.per_minute
    # Half an interval ahead, so that nothing is lost between this and the next time.
    ahead = 1.5 if start < now + interval_ms / 2 else 1.0
    share = int(ahead * interval_ms / workers / unit_ms)
    units = min(wanted, max(1, share))
    end = start + math.ceil(units * unit_ms)
    return Slice(start, end, units), end


def _slots(most: int | None, others: Mapping[str, Worker], ask: Ask) -> int | None:
    """Its fair share, as far as nobody else holds it still."""
    if most is None:
        return None
    wanted = {name: worker.wanted for name, worker in others.items()}
    share = fair_shares(most, {**wanted, ask.worker: ask.slots})[ask.worker]
    held = sum(worker.slots for worker in others.values())
    return max(0, min(share, most - held))
