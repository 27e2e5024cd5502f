"""A pace that all workers of a deployment keep together, by leases in the table."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from uuid import uuid4

from nightmail.deployment import Deployment
from nightmail.engine.pace import LocalPace
from nightmail.errors import StorageError, WriteConflict
from nightmail.quota import (
    Ask,
    Grant,
    Quota,
    Slice,
    Slowdown,
    exchange,
    is_limited,
    quota_key,
    told,
    without,
)
from nightmail.steps.allowance import Allowance
from nightmail.stores.quotas import QuotaStore
from nightmail.telemetry import logger

_LOOK_SECONDS = 5.0  # where there is no limit, and 429s alone are shared
_SOONEST_SECONDS = 1.0  # between two looks at the table
_TRIES = 5
_CONFLICT_SECONDS = 0.05
_REMEMBERED_MS = 60_000  # a newcomer begins as slowly as those go on who met a 429 so lately
_ALL = 10**9  # wanted: as much as there is
_MORE = 1.25  # of what was used, so that it can become more


class LeasedPace(LocalPace):
    """`async with LeasedPace(deployment, quotas, clock, concurrency) as pace:`.

    Limits are taken from the table in slices every few seconds. A 429 that any worker meets is told to
    all: each halves what it has in flight and waits as long. While the table does not answer, what was
    granted runs out, and then nothing goes. `clock` answers the Unix time in seconds.
    """

    def __init__(
        self,
        deployment: Deployment,
        quotas: QuotaStore,
        clock: Callable[[], float],
        concurrency: int,
    ) -> None:
        unlimited = {"rpm": None, "tpm": None, "max_parallel_requests": None}
        super().__init__(deployment.model_copy(update=unlimited))
        self._deployment = deployment
        self._quotas = quotas
        self._clock = clock
        self._concurrency = concurrency
        self._key = quota_key(deployment)
        self._worker = uuid4().hex[:12]
        self._granted_requests = Allowance() if deployment.rpm else None
        self._granted_tokens = Allowance() if deployment.tpm else None
        self._slots: float = 0 if deployment.max_parallel_requests else math.inf
        self._slots_until = math.inf
        self._started = self._started_tokens = _ALL  # since the last time that it asked
        self._slowdowns: int | None = None  # how many the table knew of
        self._news: Slowdown | None = None
        self._has_news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(await self._renew()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        if is_limited(self._deployment):
            await self._give_back()

    def leave(self, tokens: int) -> None:
        if tokens and self._granted_tokens:
            self._granted_tokens.take(tokens, self._now())
        super().leave(tokens)

    def slow_down(self, retry_after_seconds: float | None) -> None:
        before = self._paused_until
        super().slow_down(retry_after_seconds)
        if self._paused_until > before:
            paused_until = self._unix_ms(self._paused_until)
            self._news = Slowdown(paused_until=paused_until, limit=max(1, int(self._limit)))
            self._has_news.set()

    def _seconds_until(self, tokens: int) -> float:
        now = self._now()
        if self._in_flight + 1 > self._slots or now > self._slots_until:
            return math.inf
        granted = (self._granted_requests, self._granted_tokens)
        waits = [allowance.seconds_until(now) for allowance in granted if allowance]
        return max(super()._seconds_until(tokens), *waits, 0.0)

    def _let_in(self, tokens: int) -> None:
        super()._let_in(tokens)
        self._started += 1
        self._started_tokens += tokens
        if self._granted_requests:
            self._granted_requests.take(1, self._now())
        if self._granted_tokens:
            self._granted_tokens.take(tokens, self._now())

    # ---- the table

    async def _keep(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(_SOONEST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), seconds - _SOONEST_SECONDS)
            self._has_news.clear()
            seconds = await self._renew()

    async def _renew(self) -> float:
        """Look at the table, and take what is needed. Answers when to look again."""
        try:
            if is_limited(self._deployment):
                return self._take(await self._exchange())
            await self._look()
        except StorageError as error:
            logger.warning("pace not renewed", extra={"reason": error.message})
            return _SOONEST_SECONDS
        finally:
            self._admit()
        return _LOOK_SECONDS

    async def _look(self) -> None:
        """Where nothing is limited, only a 429 is written."""
        if self._news is None:
            self._heed(await asyncio.to_thread(self._quotas.get, self._key))
            return
        news = self._news
        await self._change(lambda quota: told(quota, news, self._unix_ms()))
        self._news = None

    async def _exchange(self) -> Grant:
        ask, grants, slots = self._ask(), list[Grant](), self._slots
        self._slots = min(slots, self._in_flight)  # what was said of it stays true

        def changed(quota: Quota) -> Quota:
            quota, grant = exchange(quota, self._deployment, ask, self._unix_ms())
            grants.append(grant)
            return quota

        try:
            await self._change(changed)
        except StorageError:
            self._slots = slots
            raise
        if self._news is ask.slowdown:
            self._news = None
        self._started = self._started_tokens = 0
        return grants[-1]

    async def _give_back(self) -> None:
        try:
            await self._change(lambda quota: without(quota, self._worker))
        except StorageError as error:
            logger.warning("slots not given back", extra={"reason": error.message})

    async def _change(self, change: Callable[[Quota], Quota]) -> None:
        """Read, change, write; again where somebody else wrote in between."""
        for tries_left in reversed(range(_TRIES)):
            before = await asyncio.to_thread(self._quotas.get, self._key)
            after = change(before)
            try:
                await asyncio.to_thread(self._quotas.save, after)
            except WriteConflict:
                if not tries_left:
                    raise
                await asyncio.sleep(_CONFLICT_SECONDS * random.random())  # noqa: S311 - no secret
            else:
                self._heed(before)
                self._slowdowns = after.slowdown.count
                return

    def _ask(self) -> Ask:
        """Who has to wait takes all it gets; else what is not used is lost to the others."""
        is_short = bool(self._waiting)
        owed = max(0, self._granted_tokens.debt) if self._granted_tokens else 0
        busy = max(self._in_flight + len(self._waiting), self._started)
        return Ask(
            worker=self._worker,
            requests=_ALL if is_short else int(self._started * _MORE) + 1,
            tokens=_ALL if is_short else int(self._started_tokens * _MORE) + owed + 1,
            slots=max(1, min(self._concurrency, busy)),
            in_flight=self._in_flight,
            slowdown=self._news,
        )

    def _take(self, grant: Grant) -> float:
        self._add(self._granted_requests, grant.requests)
        self._add(self._granted_tokens, grant.tokens)
        if grant.slots is None:
            self._slots = math.inf
        else:
            self._slots, self._slots_until = grant.slots, self._loop_time(grant.until)
        # Workers that began together do not ask together for ever.
        return grant.interval_ms / 1000 * random.uniform(0.9, 1.1)  # noqa: S311 - no secret

    def _add(self, allowance: Allowance | None, granted: Slice | None) -> None:
        if allowance and granted:
            seconds = (granted.end - granted.start) / 1000
            allowance.add(self._loop_time(granted.start), seconds, granted.units)

    def _heed(self, quota: Quota) -> None:
        """Slow down for what others have met."""
        slowdown, known = quota.slowdown, self._slowdowns
        self._slowdowns = slowdown.count
        if known is None:
            self._begin_slowly(slowdown)
        elif slowdown.count > known:
            seconds = self._loop_time(slowdown.paused_until) - self._now()
            super().slow_down(max(0.0, seconds))

    def _begin_slowly(self, slowdown: Slowdown) -> None:
        if slowdown.count and self._unix_ms() - slowdown.at < _REMEMBERED_MS:
            self._limit = slowdown.limit
            self._paused_until = self._loop_time(slowdown.paused_until)

    # ---- time

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _unix_ms(self, loop_time: float | None = None) -> int:
        ahead = 0.0 if loop_time is None else loop_time - self._now()
        return int((self._clock() + ahead) * 1000)

    def _loop_time(self, unix_ms: int) -> float:
        return self._now() + unix_ms / 1000 - self._clock()
