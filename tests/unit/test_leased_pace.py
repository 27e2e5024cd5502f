"""Workers keep a deployment's limits together, by leases in the table; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from typing import Any, cast

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import StorageUnavailable
from nightmail.quota import Quota, quota_key
from nightmail.steps.leased_pace import LeasedPace
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.table import Table

from tests.unit.memory import MemoryDynamo
from tests.unit.samples import NOW
from tests.unit.virtual_time import in_virtual_time, settled


def deployment(**limits: Any) -> Deployment:
    return Deployment(name="gpt", provider="openai", model="gpt-5-mini", **limits)


def now() -> float:
    return asyncio.get_running_loop().time()


class Counted(QuotaStore):
    """Counts its reads and writes, and is away for as long as a test wants."""

    def __init__(self) -> None:
        super().__init__(Table(cast(Any, MemoryDynamo()), "table"))
        self.reads = self.writes = 0
        self.is_away = False

    def get(self, key: str) -> Quota:
        self.reads += 1
        if self.is_away:
            raise StorageUnavailable("The table did not answer; try again.")
        return super().get(key)

    def save(self, quota: Quota) -> None:
        self.writes += 1
        super().save(quota)


class Upstream:
    """Takes so long for an answer; knows when each request came, and how many there were at once."""

    def __init__(self, seconds: float = 0.2) -> None:
        self.came_at: list[float] = []
        self.in_flight = 0
        self.peak = 0
        self._seconds = seconds

    async def answer(self) -> None:
        self.came_at.append(now())
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(self._seconds)
        self.in_flight -= 1

    def busiest(self, seconds: float) -> int:
        """The most requests within any stretch of time of that length."""
        return max(sum(t <= at < t + seconds for at in self.came_at) for t in self.came_at)


async def call(pace: LeasedPace, upstream: Upstream, tokens: int = 0) -> None:
    await pace.enter(tokens)
    try:
        await upstream.answer()
    finally:
        pace.leave(0)


async def work(pace: LeasedPace, upstream: Upstream, concurrency: int, tokens: int = 0) -> None:
    """Call as often as it may, for ever."""

    async def one_after_another() -> None:
        while True:
            await call(pace, upstream, tokens)

    await asyncio.gather(*(one_after_another() for _ in range(concurrency)))


@asynccontextmanager
async def worker(
    quotas: QuotaStore, limits: Deployment, concurrency: int = 50
) -> AsyncIterator[LeasedPace]:
    async with LeasedPace(limits, quotas, lambda: NOW + now(), concurrency) as pace:
        yield pace


async def together(
    quotas: QuotaStore,
    limits: Deployment,
    upstream: Upstream,
    *,
    workers: int,
    seconds: float,
    tokens: int = 0,
) -> None:
    """So many workers with 50 calls at a time each, for so long."""
    async with AsyncExitStack() as stack:
        paces = [await stack.enter_async_context(worker(quotas, limits)) for _ in range(workers)]
        tasks = [asyncio.create_task(work(pace, upstream, 50, tokens)) for pace in paces]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ---- Requests and tokens a minute


@pytest.mark.parametrize("rpm", [6, 60, 600])
@pytest.mark.parametrize("workers", [1, 3, 6])
def test_rpm_holds_over_all_workers_and_is_used_up(rpm: int, workers: int) -> None:
    upstream = Upstream()

    @in_virtual_time
    async def run() -> None:
        await together(Counted(), deployment(rpm=rpm), upstream, workers=workers, seconds=300)

    run()
    assert upstream.busiest(60) <= rpm
    assert len(upstream.came_at) >= 0.85 * 5 * rpm


def test_requests_are_spread_over_the_minute() -> None:
    upstream = Upstream()

    @in_virtual_time
    async def run() -> None:
        await together(Counted(), deployment(rpm=600), upstream, workers=3, seconds=120)

    run()
    assert upstream.busiest(1) <= 25


@pytest.mark.parametrize("workers", [1, 4])
def test_tpm_holds_over_all_workers(workers: int) -> None:
    upstream = Upstream()

    @in_virtual_time
    async def run() -> None:
        limits = deployment(tpm=60_000)
        await together(Counted(), limits, upstream, workers=workers, seconds=300, tokens=100)

    run()
    assert 0.8 * 600 <= upstream.busiest(60) <= 600 + workers


@in_virtual_time
async def test_tokens_that_were_not_used_are_used_by_others() -> None:
    quotas, limits = Counted(), deployment(tpm=6000)
    async with worker(quotas, limits) as pace:
        await pace.enter(3000)
        pace.leave(-2900)
        begun = now()
        await pace.enter(100)
        assert now() - begun < 1


@in_virtual_time
async def test_more_tokens_than_a_slice_holds_go_and_are_paid_for_later() -> None:
    quotas, limits = Counted(), deployment(tpm=6000)
    async with worker(quotas, limits) as pace:
        await asyncio.wait_for(pace.enter(3000), 5)
        begun = now()
        await pace.enter(100)
        assert now() - begun > 20


# ---- Slots


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_max_parallel_requests_hold_over_all_workers_and_are_used(workers: int) -> None:
    upstream = Upstream(seconds=1)

    @in_virtual_time
    async def run() -> None:
        limits = deployment(max_parallel_requests=6)
        await together(Counted(), limits, upstream, workers=workers, seconds=60)

    run()
    assert upstream.peak == 6
    assert len(upstream.came_at) >= 0.8 * 6 * 60


@in_virtual_time
async def test_a_newcomer_gets_its_share_of_the_slots() -> None:
    quotas, limits, upstream = Counted(), deployment(max_parallel_requests=10), Upstream(seconds=1)
    async with worker(quotas, limits) as first, worker(quotas, limits) as second:
        old = asyncio.create_task(work(first, upstream, 50))
        await asyncio.sleep(5)
        new_upstream = Upstream(seconds=1)
        new = asyncio.create_task(work(second, new_upstream, 50))
        await asyncio.sleep(15)
        assert new_upstream.peak == 5
        assert upstream.in_flight + new_upstream.in_flight <= 10
        for task in (old, new):
            task.cancel()
        await asyncio.gather(old, new, return_exceptions=True)


@in_virtual_time
async def test_slots_are_free_at_once_when_a_worker_leaves() -> None:
    quotas, limits = Counted(), deployment(max_parallel_requests=1)
    async with worker(quotas, limits) as pace:
        await pace.enter(0)
        pace.leave(0)
    assert quotas.get(quota_key(limits)).workers == {}
    async with worker(quotas, limits) as pace:
        await asyncio.wait_for(pace.enter(0), 0.1)


@in_virtual_time
async def test_who_was_cancelled_while_it_waited_holds_no_slot() -> None:
    quotas, limits = Counted(), deployment(max_parallel_requests=1)
    async with worker(quotas, limits) as pace:
        await pace.enter(0)
        waiting = asyncio.create_task(pace.enter(0))
        await settled()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        pace.leave(0)
        await asyncio.wait_for(pace.enter(0), 0.1)


# ---- 429s


@in_virtual_time
async def test_a_429_pauses_every_worker_and_halves_what_they_have_in_flight() -> None:
    quotas, limits = Counted(), deployment()
    upstream, other = Upstream(seconds=1), Upstream(seconds=1)
    async with worker(quotas, limits) as first, worker(quotas, limits) as second:
        tasks = [asyncio.create_task(work(second, other, 40))]
        await asyncio.sleep(10.5)
        tasks.append(asyncio.create_task(work(first, upstream, 40)))
        await settled()
        first.slow_down(20.0)
        told_at = now()
        await asyncio.sleep(60)
        pauses = [after - before for before, after in pairwise(sorted(other.came_at))]
        assert max(pauses) >= 14, "it heard of the pause within a few seconds"
        after = [at for at in other.came_at if at > told_at + 7]
        assert sum(at < after[0] + 0.5 for at in after) <= 20
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_workers_come_back_after_a_429() -> None:
    quotas, limits, upstream = Counted(), deployment(), Upstream(seconds=1)
    async with worker(quotas, limits) as pace:
        task = asyncio.create_task(work(pace, upstream, 40))
        await settled()
        pace.slow_down(1.0)
        for _ in range(60):
            await asyncio.sleep(1)
            for _ in range(upstream.in_flight):
                pace.speed_up()
        assert upstream.in_flight == 40
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_a_newcomer_begins_as_slowly_as_the_others_go_on() -> None:
    quotas, limits, upstream = Counted(), deployment(), Upstream(seconds=1)
    async with worker(quotas, limits) as first:
        task = asyncio.create_task(work(first, upstream, 40))
        await settled()
        first.slow_down(3.0)
        await asyncio.sleep(2)
        async with worker(quotas, limits) as second:
            newcomer, begun = Upstream(seconds=30), now()
            new = asyncio.create_task(work(second, newcomer, 40))
            await asyncio.sleep(10)
            assert newcomer.peak == 20
            assert newcomer.came_at[0] - begun == pytest.approx(1, abs=0.1)
            new.cancel()
            await asyncio.gather(new, return_exceptions=True)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# ---- What it costs, and what it does without a table


@in_virtual_time
async def test_without_limits_nothing_is_written_until_a_429_comes() -> None:
    quotas, limits, upstream = Counted(), deployment(), Upstream()
    await together(quotas, limits, upstream, workers=2, seconds=60)
    assert quotas.writes == 0
    assert quotas.reads <= 2 * (60 / 5 + 1)
    assert len(upstream.came_at) >= 2 * 50 * 60 / 0.2


@in_virtual_time
async def test_a_worker_writes_less_than_once_a_second() -> None:
    quotas, limits, upstream = Counted(), deployment(rpm=6000, max_parallel_requests=50), Upstream()
    async with worker(quotas, limits) as pace:
        task = asyncio.create_task(work(pace, upstream, 50))
        for _ in range(100):
            await asyncio.sleep(0.6)
            pace.slow_down(None)
        assert quotas.writes <= 60
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_many_workers_do_not_write_more_than_ten_times_a_second() -> None:
    quotas = Counted()
    await together(quotas, deployment(rpm=6000), Upstream(), workers=60, seconds=60)
    assert quotas.writes <= 60 * 10 * 1.3


@in_virtual_time
async def test_while_the_table_is_away_what_was_granted_runs_out() -> None:
    quotas, upstream = Counted(), Upstream()
    limits = deployment(rpm=600, max_parallel_requests=5)
    async with worker(quotas, limits) as pace:
        task = asyncio.create_task(work(pace, upstream, 10))
        await asyncio.sleep(10)
        quotas.is_away = True
        await asyncio.sleep(20)
        came = len(upstream.came_at)
        await asyncio.sleep(20)
        assert len(upstream.came_at) == came
        quotas.is_away = False
        await asyncio.sleep(20)
        assert len(upstream.came_at) > came + 100
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
