"""A deployment's limits, what 429s teach, and who waits for whom; in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.engine.bucket import Bucket
from nightmail.engine.pace import LocalPace

from tests.unit.loopback import deployment
from tests.unit.virtual_time import in_virtual_time, settled


def pace(**limits: Any) -> LocalPace:
    return LocalPace(deployment(**limits))


def now() -> float:
    return asyncio.get_running_loop().time()


async def enter(pace: LocalPace, times: int = 1, tokens: int = 0) -> list[float]:
    """When each of so many requests was let in; none of them leaves."""
    entered = []
    for _ in range(times):
        await pace.enter(tokens)
        entered.append(now())
    return entered


def entering(pace: LocalPace, count: int = 1) -> list[asyncio.Task[list[float]]]:
    return [asyncio.create_task(enter(pace)) for _ in range(count)]


def inside(tasks: list[asyncio.Task[list[float]]]) -> int:
    return sum(task.done() for task in tasks)


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_without_limits_everybody_enters_at_once() -> None:
    assert await enter(pace(), times=1000) == [0.0] * 1000


@in_virtual_time
async def test_no_more_than_max_parallel_requests_are_inside_and_the_longest_waiting_is_next() -> (
    None
):
    slow = pace(max_parallel_requests=2)
    tasks = entering(slow, 5)
    for leavers in range(3):
        await settled()
        assert [task.done() for task in tasks] == [True] * (2 + leavers) + [False] * (3 - leavers)
        slow.leave(0)
    await settled()
    assert inside(tasks) == 5


@pytest.mark.parametrize("rpm", [1, 7, 60, 100, 600, 5000])
@in_virtual_time
async def test_rpm_holds_in_every_minute_and_is_used_up(rpm: int) -> None:
    entered = await enter(pace(rpm=rpm), times=3 * rpm + 1)
    for place, at in enumerate(entered[rpm:]):
        assert at - entered[place] >= 60 - 1e-6
    assert entered[-1] <= 3 * 60 * 1.02


@in_virtual_time
async def test_rpm_is_spread_over_the_minute_after_a_second_s_worth() -> None:
    entered = await enter(pace(rpm=600), times=100)
    assert entered[9] == 0.0
    assert all(later - earlier < 0.2 for earlier, later in pairwise(entered[9:]))


@in_virtual_time
async def test_tpm_counts_the_tokens_and_what_was_not_used_is_given_back() -> None:
    paced = pace(tpm=6000)
    await paced.enter(100)
    await paced.enter(100)
    first = now()
    paced.leave(-100)
    await paced.enter(100)
    assert first == pytest.approx(1, rel=0.02)
    assert now() == first


@in_virtual_time
async def test_a_request_larger_than_a_second_s_worth_goes_and_the_next_ones_pay_for_it() -> None:
    paced = pace(tpm=6000)
    await paced.enter(3000)
    assert now() == 0.0
    await paced.enter(1)
    assert now() == pytest.approx(29, rel=0.02)


@in_virtual_time
async def test_more_tokens_than_were_told_are_paid_by_the_next() -> None:
    paced = pace(tpm=6000)
    await paced.enter(100)
    paced.leave(600)
    await paced.enter(1)
    assert now() == pytest.approx(6, rel=0.02)


@in_virtual_time
async def test_a_429_halves_what_may_be_in_flight_and_nobody_enters_before_its_time() -> None:
    paced = pace()
    await enter(paced, times=8)
    paced.slow_down(30)
    tasks = entering(paced, 8)
    for _ in range(8):
        paced.leave(0)
    await settled()
    assert inside(tasks) == 0
    await asyncio.wait(tasks, timeout=29.9)
    assert inside(tasks) == 0
    await asyncio.wait(tasks, timeout=0.2)
    assert inside(tasks) == 4
    await cancel(*tasks)


@in_virtual_time
async def test_the_429s_of_one_burst_halve_once_and_the_longest_wait_counts() -> None:
    paced = pace()
    await enter(paced, times=8)
    for seconds in (5, 30, None, 1):
        paced.slow_down(seconds)
        paced.leave(0)
    for _ in range(4):
        paced.leave(0)
    tasks = entering(paced, 8)
    await asyncio.wait(tasks, timeout=29.9)
    assert inside(tasks) == 0
    await asyncio.wait(tasks, timeout=0.2)
    assert inside(tasks) == 4
    await cancel(*tasks)


@in_virtual_time
async def test_one_may_always_be_in_flight() -> None:
    paced = pace()
    for _ in range(20):
        await paced.enter(0)
        paced.slow_down(1)
        paced.leave(0)
    assert now() == pytest.approx(19)


@in_virtual_time
async def test_where_no_time_is_given_the_pauses_double_to_8_seconds_until_an_answer_is_good() -> (
    None
):
    paced, pauses = pace(), []
    for _ in range(7):
        before = now()
        await paced.enter(0)
        pauses.append(now() - before)
        paced.slow_down(None)
        paced.leave(0)
    for pause, longest in zip(pauses[1:], [0.5, 1, 2, 4, 8, 8], strict=True):
        assert 0.75 * longest <= pause <= longest
    await paced.enter(0)
    paced.speed_up()
    paced.slow_down(None)
    paced.leave(0)
    before = now()
    await paced.enter(0)
    assert 0.375 <= now() - before <= 0.5


@in_virtual_time
async def test_a_429_that_allows_the_next_request_at_once_still_stops_the_burst() -> None:
    paced = pace()
    await enter(paced, times=8)
    for _ in range(8):
        paced.slow_down(0)
        paced.leave(0)
    tasks = entering(paced, 8)
    await asyncio.wait(tasks, timeout=1)
    assert inside(tasks) == 4
    await cancel(*tasks)


@in_virtual_time
async def test_a_round_of_good_answers_lets_one_more_in_up_to_the_deployment_s_own_limit() -> None:
    paced = pace(max_parallel_requests=8)
    await enter(paced, times=8)
    paced.slow_down(1)
    for _ in range(8):
        paced.leave(0)
    widths = []
    for _ in range(10):
        tasks = entering(paced, 12)
        await asyncio.wait(tasks, timeout=2)
        widths.append(inside(tasks))
        for _ in range(inside(tasks)):
            paced.speed_up()
        await cancel(*tasks)
        for _ in range(widths[-1]):
            paced.leave(0)
    assert widths[0] == 4
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(widths))
    assert widths[-1] == 8


@in_virtual_time
async def test_who_is_cancelled_while_waiting_leaves_the_way_free() -> None:
    paced = pace(max_parallel_requests=1, rpm=60)
    await paced.enter(0)
    first, second = entering(paced, 2)
    await settled()
    await cancel(first)
    paced.leave(0)
    assert await second == [pytest.approx(1)]


@in_virtual_time
async def test_nobody_overtakes_who_waits_for_more_tokens() -> None:
    paced = pace(tpm=6000)
    await paced.enter(100)
    first = asyncio.create_task(paced.enter(100))
    await settled()
    await paced.enter(0)
    assert first.done()


@in_virtual_time
async def test_who_waits_behind_one_that_is_cancelled_goes_at_once() -> None:
    paced = pace(tpm=6000)
    await paced.enter(100)
    first = asyncio.create_task(paced.enter(100))
    await settled()
    second = asyncio.create_task(paced.enter(0))
    await settled()
    assert not second.done()
    await cancel(first)
    await second
    assert now() < 0.1


@in_virtual_time
async def test_who_is_cancelled_just_after_being_let_in_gives_the_place_back() -> None:
    paced = pace(max_parallel_requests=1)
    await paced.enter(0)
    first, second = entering(paced, 2)
    await settled()
    paced.leave(0)  # lets the first one in, who does not know it yet
    await cancel(first)
    assert await second == [now()]
    third = entering(paced)
    await settled()
    assert inside(third) == 0
    await cancel(*third)


@in_virtual_time
async def test_tokens_of_who_is_cancelled_just_after_being_let_in_are_given_back() -> None:
    paced = pace(max_parallel_requests=1, tpm=6000)
    await paced.enter(50)
    task = asyncio.create_task(paced.enter(50))
    await settled()
    paced.leave(0)
    await cancel(task)
    await paced.enter(50)
    assert now() < 0.01


@given(
    per_minute=st.integers(1, 100_000),
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=40),
)
def test_a_bucket_never_asks_for_a_wait_that_does_not_help(
    per_minute: int, sizes: list[int]
) -> None:
    bucket, now = Bucket(per_minute), 1000.0
    for size in sizes:
        now += bucket.seconds_until(size, now)
        assert bucket.seconds_until(size, now) < 1e-6
        bucket.take(size)
