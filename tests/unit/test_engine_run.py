"""Many calls: how many at a time, in what order, and what a failing one does to the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from nightmail.engine.call import Call, Reply
from nightmail.engine.engine import Engine
from nightmail.errors import GatewayError, ProviderRejected

from tests.unit.engine_calls import at_most, call_of
from tests.unit.loopback import PlainProvider, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time, settled


def echo(visit: Visit) -> Any:
    return visit.answer({"echo": visit.body["messages"][0]["content"]})


@in_virtual_time
async def test_every_call_has_its_own_answer_under_its_own_number() -> None:
    async with upstream(echo) as server, Engine(plain) as engine:
        entry = deployment(server.url)
        calls = (call_of(entry, prompt=str(number)) for number in range(250))
        outcomes = {number: outcome async for number, outcome in engine.run(calls)}
    assert sorted(outcomes) == list(range(250))
    for number, outcome in outcomes.items():
        assert isinstance(outcome, Reply)
        assert outcome.body == {"echo": str(number)}
        assert outcome.tries == 1
    assert server.connections <= 100


@pytest.mark.parametrize("concurrency", [1, 7, 150])
@in_virtual_time
async def test_no_more_than_so_many_are_in_flight_and_no_fewer(concurrency: int) -> None:
    script, refusals = at_most(concurrency, 1)
    async with upstream(script) as server, Engine(plain, concurrency=concurrency) as engine:
        calls = [call_of(deployment(server.url))] * (3 * concurrency)
        outcomes = [outcome async for outcome in engine.run(calls)]
        assert asyncio.get_running_loop().time() == pytest.approx(3)
    assert len(outcomes) == 3 * concurrency
    assert refusals == []


@in_virtual_time
async def test_a_run_s_own_concurrency_replaces_the_engine_s() -> None:
    script, refusals = at_most(2, 1)
    async with upstream(script) as server, Engine(plain) as engine:
        calls = [call_of(deployment(server.url))] * 10
        assert len([outcome async for outcome in engine.run(calls, concurrency=2)]) == 10
    assert refusals == []


@in_virtual_time
async def test_answers_come_as_they_finish() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def script(visit: Visit) -> None:
        await gates[int(visit.body["messages"][0]["content"])].wait()
        await visit.answer()

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url)
        outcomes = engine.run([call_of(entry, prompt=str(number)) for number in range(3)])
        for number in (2, 0, 1):
            gates[number].set()
            assert (await anext(outcomes))[0] == number
        assert await anext(outcomes, None) is None


@in_virtual_time
async def test_calls_are_read_only_as_far_as_they_are_in_flight_and_their_answers_taken() -> None:
    read: list[int] = []

    def calls() -> Iterator[Call]:
        for number in range(1000):
            read.append(number)
            yield call_of(entry)

    async with upstream(echo) as server, Engine(plain) as engine:
        entry = deployment(server.url)
        outcomes = engine.run(calls(), concurrency=5)
        await settled()
        assert read == []
        for _ in range(20):
            await anext(outcomes)
        await settled()
        assert len(read) <= 20 + 2 * 5 + 1
        await outcomes.aclose()


@in_virtual_time
async def test_no_calls_are_no_answers() -> None:
    async with Engine(plain) as engine:
        assert [outcome async for outcome in engine.run([])] == []


@in_virtual_time
async def test_a_call_that_fails_is_a_value_and_its_neighbours_go_on() -> None:
    async def script(visit: Visit) -> None:
        bad = visit.body["messages"][0]["content"] == "1"
        await visit.answer({"error": {"message": "no"}} if bad else {}, 400 if bad else 200)

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url)
        calls = [call_of(entry, prompt=str(number)) for number in range(3)]
        outcomes = dict([outcome async for outcome in engine.run(calls)])
    assert [type(outcomes[number]) for number in range(3)] == [Reply, ProviderRejected, Reply]


@in_virtual_time
async def test_a_call_that_an_adapter_trips_over_is_a_value_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Fragile(PlainProvider):
        def answer(self, *args: Any) -> Any:
            if super().answer(*args) == {"echo": "1"}:
                raise ZeroDivisionError
            return {}

    async with upstream(echo) as server, Engine(Fragile) as engine:
        entry = deployment(server.url)
        calls = [call_of(entry, prompt=str(number)) for number in range(3)]
        with caplog.at_level(logging.ERROR):
            outcomes = dict([outcome async for outcome in engine.run(calls)])
    assert [type(outcomes[number]) for number in range(3)] == [Reply, GatewayError, Reply]
    assert "ZeroDivisionError" in caplog.text


@in_virtual_time
async def test_what_the_calls_themselves_raise_is_raised_and_what_is_in_flight_is_cancelled() -> (
    None
):
    def calls() -> Iterator[Call]:
        yield call_of(entry, prompt="wait")
        yield call_of(entry)
        raise OSError

    gone: list[Visit] = []

    async def script(visit: Visit) -> None:
        if b"wait" in visit.content:
            await visit.gone()
            gone.append(visit)
        else:
            await visit.answer()

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url)
        with pytest.raises(OSError):
            await anext(engine.run(calls(), concurrency=3))
        outcomes = engine.run(calls(), concurrency=2)
        assert (await anext(outcomes))[0] == 1
        with pytest.raises(OSError):
            await anext(outcomes)
    assert len(gone) == 1
