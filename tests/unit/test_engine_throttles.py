"""What a 429 does to its deployment, and what it does not do to the calls; in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from nightmail.engine.call import Reply
from nightmail.engine.engine import Engine
from nightmail.engine.tries import MOST_THROTTLES
from nightmail.errors import ProviderThrottled

from tests.unit.engine_calls import answering, at_most, call_of, failure, gaps
from tests.unit.loopback import GOOD, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "1"}, {"Retry_After_Ms": "20"}])
@in_virtual_time
async def test_a_thousand_calls_are_all_answered_by_a_provider_that_takes_ten_at_a_time(
    headers: dict[str, str],
) -> None:
    script, refusals = at_most(10, 0.2, **headers)
    async with upstream(script) as server, Engine(plain) as engine:
        calls = [call_of(deployment(server.url))] * 1000
        outcomes = [outcome async for outcome in engine.run(calls)]
    assert sorted(number for number, _ in outcomes) == list(range(1000))
    assert all(isinstance(outcome, Reply) and outcome.body == GOOD for _, outcome in outcomes)
    assert 90 <= len(refusals) < 300


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry_After": "20"}, 20),
        (429, {}, 0.375),
        (529, {}, 0.375),
        (503, {"Retry_After": "20"}, 20),
    ],
)
@in_virtual_time
async def test_a_busy_provider_holds_every_call_of_its_deployment_back(
    status: int, headers: dict[str, str], seconds: float
) -> None:
    throttled = asyncio.Event()

    async def script(visit: Visit) -> None:
        if throttled.is_set():
            await visit.answer()
        else:
            await visit.answer({}, status, **headers)
            throttled.set()

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        first = asyncio.create_task(engine.call(call))
        await throttled.wait()
        await asyncio.sleep(0.1)
        await asyncio.gather(first, *(engine.call(call) for _ in range(5)))
    assert gaps(server)[0] >= seconds
    assert len(server.visits) == 7


@in_virtual_time
async def test_a_good_answer_from_before_does_not_open_what_a_429_closed() -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) == 1:
            await asyncio.sleep(5)
            await visit.answer()
        else:
            await visit.answer({}, 429, Retry_After="3600")

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        early = asyncio.create_task(engine.call(call))
        await asyncio.sleep(1)
        await failure(engine, call)
        await early
        await failure(engine, call)
        assert asyncio.get_running_loop().time() == pytest.approx(5)
    assert len(server.visits) == 2


@in_virtual_time
async def test_another_deployment_is_not_held_back() -> None:
    async with (
        upstream(answering((429, {"Retry_After": "20"}))) as throttling,
        upstream(answering()) as other,
        Engine(plain) as engine,
    ):
        first = asyncio.create_task(engine.call(call_of(deployment(throttling.url))))
        await engine.call(call_of(deployment(other.url, name="other")))
        assert asyncio.get_running_loop().time() == 0
        await first


@in_virtual_time
async def test_a_wait_of_more_than_a_minute_ends_this_call_and_those_behind_it() -> None:
    answers = answering(200, (429, {"Retry_After": "3600"}))
    async with upstream(answers) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url, max_parallel_requests=1))
        await engine.call(call)
        errors = await asyncio.gather(*(failure(engine, call) for _ in range(5)))
        errors.append(await failure(engine, call))
        assert asyncio.get_running_loop().time() <= 60
    assert len(server.visits) == 2
    for error in errors:
        assert isinstance(error, ProviderThrottled)
        assert error.upstream_status == 429
        assert 3500 < (error.retry_after_seconds or 0) <= 3600


@in_virtual_time
async def test_after_that_time_the_deployment_is_asked_again() -> None:
    async with upstream(answering((429, {"Retry_After": "90"}))) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        await failure(engine, call)
        await asyncio.sleep(40)
        await engine.call(call)
    assert gaps(server) == [pytest.approx(90)]


@in_virtual_time
async def test_a_wait_beyond_the_deadline_ends_this_call_and_those_behind_it() -> None:
    loop = asyncio.get_running_loop()
    async with (
        upstream(answering((429, {"Retry_After": "30"}))) as server,
        Engine(plain, deadline=loop.time() + 25) as engine,
    ):
        call = call_of(deployment(server.url))
        errors = [await failure(engine, call), await failure(engine, call)]
        assert loop.time() == 0
    assert [type(error) for error in errors] == [ProviderThrottled] * 2
    assert len(server.visits) == 1


@in_virtual_time
async def test_a_deployment_that_answers_nobody_for_some_time_fails_no_call() -> None:
    async def script(visit: Visit) -> None:
        dry = 1 < visit.at < 55
        await visit.answer({} if dry else GOOD, 429 if dry else 200)

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        await engine.call(call)
        await asyncio.sleep(2)
        replies = await asyncio.gather(*(engine.call(call) for _ in range(20)))
    assert [reply.body for reply in replies] == [GOOD] * 20


@in_virtual_time
async def test_a_deployment_that_answers_nobody_for_longer_fails_its_calls() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer({}, 200 if visit.at < 1 else 429)

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        await engine.call(call)
        await asyncio.sleep(2)
        errors = await asyncio.gather(*(failure(engine, call) for _ in range(5)))
    assert {type(error) for error in errors} == {ProviderThrottled}


@in_virtual_time
async def test_a_call_that_is_refused_again_and_again_while_others_pass_fails() -> None:
    async def script(visit: Visit) -> None:
        too_much = visit.body["messages"][0]["content"] == "too much"
        await visit.answer({} if too_much else GOOD, 429 if too_much else 200)

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url)

        async def others() -> None:
            while True:
                await engine.call(call_of(entry))
                await asyncio.sleep(1)

        passing = asyncio.create_task(others())
        await asyncio.sleep(0.5)
        error = await failure(engine, call_of(entry, prompt="too much"))
        passing.cancel()
        await asyncio.wait([passing])
    assert isinstance(error, ProviderThrottled)
    refused = [visit for visit in server.visits if b"too much" in visit.content]
    assert len(refused) == MOST_THROTTLES + 1
