"""Which failures are tried again, when, and when a call gives up; in virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from nightmail.engine.engine import Engine
from nightmail.errors import (
    GatewayError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)

from tests.unit.engine_calls import QUOTA, answering, at_most, call_of, failure, gaps
from tests.unit.loopback import GOOD, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
@in_virtual_time
async def test_what_heals_is_tried_twice_more(status: int) -> None:
    async with upstream(answering(status, status)) as server, Engine(plain) as engine:
        reply = await engine.call(call_of(deployment(server.url)))
    assert (reply.body, reply.tries) == (GOOD, 3)


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
@in_virtual_time
async def test_what_does_not_heal_in_three_tries_is_raised(status: int) -> None:
    async with upstream(answering(*[status] * 3)) as server, Engine(plain) as engine:
        error = await failure(engine, call_of(deployment(server.url)))
    assert (error.retryable, len(server.visits)) == (True, 3)


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 405, 413, 415, 422])
@in_virtual_time
async def test_what_waiting_does_not_heal_is_raised_at_once(status: int) -> None:
    async with upstream(answering(status)) as server, Engine(plain) as engine:
        error = await failure(engine, call_of(deployment(server.url)))
    assert isinstance(error, ProviderRejected)
    assert error.upstream_status == status
    assert len(server.visits) == 1


@in_virtual_time
async def test_a_429_for_want_of_money_is_raised_at_once() -> None:
    async with upstream(answering(429, body=QUOTA)) as server, Engine(plain) as engine:
        error = await failure(engine, call_of(deployment(server.url)))
    assert isinstance(error, ProviderRejected)
    assert (error.http_status, len(server.visits)) == (429, 1)


@in_virtual_time
async def test_garbled_answers_are_not_tried_again() -> None:
    async with upstream(lambda visit: visit.answer(b"<html>")) as server, Engine(plain) as engine:
        error = await failure(engine, call_of(deployment(server.url)))
    assert isinstance(error, ProviderGarbled)
    assert len(server.visits) == 1


@pytest.mark.parametrize("end", [Visit.hang_up, Visit.reset, None])
@in_virtual_time
async def test_lost_connections_and_time_outs_are_tried_again(end: Any) -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) == 3:
            await visit.answer()
        elif end:
            end(visit)
        else:
            await visit.gone()

    async with upstream(script) as server, Engine(plain) as engine:
        reply = await engine.call(call_of(deployment(server.url)))
    assert reply.tries == 3


@pytest.mark.parametrize(
    ("of_call", "of_deployment", "tries"), [(0, 5, 1), (1, 0, 2), (None, 0, 1), (None, 5, 6)]
)
@pytest.mark.parametrize("status", [429, 500])
@in_virtual_time
async def test_the_call_s_retries_replace_the_deployment_s(
    of_call: int | None, of_deployment: int, tries: int, status: int
) -> None:
    async with upstream(answering(*[status] * 9)) as server, Engine(plain) as engine:
        entry = deployment(server.url, num_retries=of_deployment)
        await failure(engine, call_of(entry, num_retries=of_call))
    assert len(server.visits) == tries


@in_virtual_time
async def test_where_no_retries_are_wanted_a_429_among_good_answers_is_raised_too() -> None:
    async with upstream(answering(200, 429)) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url), num_retries=0)
        await engine.call(call)
        assert isinstance(await failure(engine, call), ProviderThrottled)
    assert len(server.visits) == 2


@in_virtual_time
async def test_waits_double_from_half_a_second_to_eight_less_a_quarter_at_most() -> None:
    async with upstream(answering(*[500] * 7)) as server, Engine(plain) as engine:
        await engine.call(call_of(deployment(server.url), num_retries=7))
    for gap, longest in zip(gaps(server), [0.5, 1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * longest <= gap <= longest + 1e-6


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "17"}, 17),
        ({"Retry_After": "0.25"}, 0.25),
        ({"Retry_After_Ms": "1500", "Retry_After": "9"}, 1.5),
        ({"Retry_After": "60"}, 60),
        ({"Retry_After": "-3"}, 0.05),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
@in_virtual_time
async def test_the_provider_says_how_long_to_wait(
    status: int, headers: dict[str, str], seconds: float
) -> None:
    async with upstream(answering((status, headers))) as server, Engine(plain) as engine:
        await engine.call(call_of(deployment(server.url)))
    assert gaps(server) == [pytest.approx(seconds, abs=1e-3)]


@in_virtual_time
async def test_the_provider_may_say_it_as_a_date() -> None:
    then = datetime.now(UTC) + timedelta(seconds=45)
    headers = {"Retry_After": format_datetime(then, usegmt=True)}
    async with upstream(answering((429, headers))) as server, Engine(plain) as engine:
        await engine.call(call_of(deployment(server.url)))
    assert 9 < gaps(server)[0] <= 45


@in_virtual_time
async def test_an_unexpected_failure_of_an_adapter_is_not_hidden() -> None:
    def broken(_: object) -> Any:
        raise ZeroDivisionError

    async with Engine(broken) as engine:
        with pytest.raises(ZeroDivisionError):
            await engine.call(call_of(deployment()))


# ---- Deadlines


async def failure_by(seconds: float, url: str, **settings: Any) -> tuple[GatewayError, float]:
    """The error of a call that has so much time, and after how much of it that came."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with Engine(plain, deadline=start + seconds) as engine:
        error = await failure(engine, call_of(deployment(url, num_retries=9, **settings)))
    return error, loop.time() - start


@in_virtual_time
async def test_no_wait_goes_beyond_the_deadline() -> None:
    async with upstream(answering((503, {"Retry_After": "9"}), 500, 500)) as server:
        error, seconds = await failure_by(8, server.url)
        assert (type(error), seconds) == (ProviderUnavailable, 0)
        error, seconds = await failure_by(0.6, server.url)
        assert (type(error), seconds < 0.6) == (ProviderUnavailable, True)
    assert len(server.visits) == 3


@in_virtual_time
async def test_no_try_goes_beyond_the_deadline() -> None:
    async with upstream(Visit.gone) as server:
        error, seconds = await failure_by(7.5, server.url)
    assert isinstance(error, ProviderTimedOut)
    assert seconds == pytest.approx(7.5)


@in_virtual_time
async def test_no_call_waits_for_its_pace_beyond_the_deadline() -> None:
    script, _ = at_most(9, seconds=60)
    loop = asyncio.get_running_loop()
    async with upstream(script) as server, Engine(plain, deadline=loop.time() + 5) as engine:
        call = call_of(deployment(server.url, max_parallel_requests=1))
        errors = await asyncio.gather(*(failure(engine, call) for _ in range(3)))
        assert loop.time() == pytest.approx(5)
    assert [type(error) for error in errors] == [ProviderTimedOut] * 3
    assert len(server.visits) == 1


@in_virtual_time
async def test_a_call_that_waited_after_a_429_until_the_deadline_tells_of_the_429() -> None:
    async with upstream(answering(*[429] * 9)) as server:
        error, _ = await failure_by(2, server.url)
    assert isinstance(error, ProviderThrottled)


@in_virtual_time
async def test_a_429_that_a_good_answer_followed_is_not_what_holds_a_call_back() -> None:
    loop = asyncio.get_running_loop()
    async with (
        upstream(answering(429)) as server,
        Engine(plain, deadline=loop.time() + 30) as engine,
    ):
        call = call_of(deployment(server.url, rpm=4))
        await engine.call(call)
        assert len(server.visits) == 2
        error = await failure(engine, call)
    assert isinstance(error, ProviderTimedOut)


@in_virtual_time
async def test_after_the_deadline_nothing_is_sent() -> None:
    async with upstream(answering()) as server:
        error, _ = await failure_by(0, server.url)
    assert isinstance(error, ProviderTimedOut)
    assert server.visits == []
