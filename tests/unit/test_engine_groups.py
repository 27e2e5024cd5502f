"""Several deployments that answer to one name: who is asked, and who next; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.engine.lane import Lane
from nightmail.errors import (
    CredentialMissing,
    GatewayError,
    InvalidRequest,
    ProviderRejected,
    ProviderUnavailable,
)
from nightmail.providers.direct import DirectProvider

from tests.unit.engine_calls import QUOTA, answering, at_most, call_of, failure, first
from tests.unit.loopback import GOOD, PlainProvider, Upstream, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time


def both(a: Upstream, b: Upstream, **settings: Any) -> Call:
    return call_of(deployment(a.url), deployment(b.url), **settings)


async def asked(engine: Engine, a: Upstream, b: Upstream, **settings: Any) -> tuple[int, int]:
    """How often a call asked each of two deployments until it got its answer."""
    before = len(a.visits), len(b.visits)
    await engine.call(both(a, b, **settings))
    return len(a.visits) - before[0], len(b.visits) - before[1]


@in_virtual_time
async def test_the_least_busy_deployment_is_asked_and_on_a_tie_the_chosen_one() -> None:
    release = asyncio.Event()

    async def script(visit: Visit) -> None:
        await release.wait()
        await visit.answer()

    async with upstream(script) as a, upstream(script) as b, Engine(plain, choose=first) as engine:
        tasks = []
        for together in ((1, 0), (1, 1), (2, 1), (2, 2)):
            tasks.append(asyncio.create_task(engine.call(both(a, b))))
            await asyncio.sleep(0.01)
            assert (len(a.visits), len(b.visits)) == together
        release.set()
        await asyncio.gather(*tasks)


@in_virtual_time
async def test_a_deployment_whose_calls_have_ended_is_not_busy() -> None:
    async with (
        upstream(answering()) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        for _ in range(3):
            assert await asked(engine, a, b) == (1, 0)


@in_virtual_time
async def test_only_those_are_chosen_from_that_are_equally_good() -> None:
    asked_among: list[list[str]] = []

    def last(lanes: Sequence[Lane]) -> Lane:
        asked_among.append([lane.deployment.model for lane in lanes])
        return lanes[-1]

    async with upstream(answering(500)) as server, Engine(plain, choose=last) as engine:
        group = [deployment(server.url, model=model) for model in ("a", "b", "c")]
        reply = await engine.call(call_of(*group))
    assert reply.deployment.model == "b"
    assert asked_among == [["a", "b", "c"], ["a", "b"]]


@in_virtual_time
async def test_single_calls_do_not_all_ask_the_first_deployment() -> None:
    async with upstream(answering()) as a, upstream(answering()) as b:
        for _ in range(64):
            async with Engine(plain) as engine:
                await engine.call(both(a, b))
            if a.visits and b.visits:
                break
    assert a.visits
    assert b.visits


@in_virtual_time
async def test_load_is_shared_evenly() -> None:
    (one, _), (other, _) = at_most(99, 1), at_most(99, 1)
    async with upstream(one) as a, upstream(other) as b, Engine(plain) as engine:
        outcomes = [outcome async for outcome in engine.run([both(a, b)] * 100, concurrency=10)]
    assert len(outcomes) == 100
    assert len(a.visits) == len(b.visits) == 50


@pytest.mark.parametrize("status", [408, 429, 500, 529])
@in_virtual_time
async def test_a_retry_goes_to_the_next_deployment_at_once(status: int) -> None:
    async with (
        upstream(answering(status)) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 1)
        assert asyncio.get_running_loop().time() == 0


@in_virtual_time
async def test_where_all_deployments_failed_the_retry_waits() -> None:
    async with (
        upstream(answering(500)) as a,
        upstream(answering(500)) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (2, 1)
        assert asyncio.get_running_loop().time() >= 0.375


@in_virtual_time
async def test_a_deployment_that_is_slowed_down_is_passed_over_for_its_time() -> None:
    async with (
        upstream(answering((429, {"Retry_After": "30"}))) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 1)
        assert await asked(engine, a, b) == (0, 1)
        assert asyncio.get_running_loop().time() == 0
        await asyncio.sleep(31)
        assert await asked(engine, a, b) == (1, 0)


@in_virtual_time
async def test_a_deployment_that_wants_an_hour_leaves_its_calls_to_the_next() -> None:
    async with (
        upstream(answering((429, {"Retry_After": "3600"}))) as a,
        upstream(answering(500)) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 2)
        assert asyncio.get_running_loop().time() < 1


@pytest.mark.parametrize("status", [401, 402, 403, 404])
@in_virtual_time
async def test_a_deployment_that_refuses_for_good_lets_the_next_one_try_and_is_asked_last(
    status: int,
) -> None:
    async with (
        upstream(answering(status)) as a,
        upstream(answering(200, 200, 500, 500)) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b, num_retries=0) == (1, 1)
        assert await asked(engine, a, b, num_retries=0) == (0, 1)
        error = await failure(engine, both(a, b, num_retries=0))
        assert isinstance(error, ProviderUnavailable)
        assert await asked(engine, a, b) == (0, 2)


@in_virtual_time
async def test_a_deployment_that_answers_well_again_is_not_asked_last_any_more() -> None:
    async def good_then_garbled(visit: Visit) -> None:
        await visit.answer(GOOD if len(b.visits) == 1 else b"<html>")

    async with (
        upstream(answering(401)) as a,
        upstream(good_then_garbled) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 1)
        assert await asked(engine, a, b) == (1, 1)
        assert await asked(engine, a, b) == (1, 0)


@in_virtual_time
async def test_a_deployment_without_money_lets_the_next_one_try() -> None:
    async with (
        upstream(answering(429, body=QUOTA)) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 1)


@in_virtual_time
async def test_a_deployment_of_another_type_lets_the_next_one_try() -> None:
    wrong_type = {"error": {"message": "Choose another.", "code": "OperationNotSupported"}}
    async with (
        upstream(answering(400, body=wrong_type)) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        assert await asked(engine, a, b) == (1, 1)


@pytest.mark.parametrize("status", [400, 413, 422])
@in_virtual_time
async def test_a_request_that_is_wrong_is_not_taken_to_another_deployment(status: int) -> None:
    async with (
        upstream(answering(status)) as a,
        upstream(answering()) as b,
        Engine(plain, choose=first) as engine,
    ):
        await failure(engine, both(a, b))
    assert (len(a.visits), len(b.visits)) == (1, 0)


@in_virtual_time
async def test_where_all_deployments_refuse_the_last_refusal_is_raised() -> None:
    async with (
        upstream(answering(401)) as a,
        upstream(answering(404)) as b,
        Engine(plain, choose=first) as engine,
    ):
        error = await failure(engine, both(a, b))
    assert isinstance(error, ProviderRejected)
    assert error.upstream_status == 404


@pytest.mark.parametrize("error", [CredentialMissing("no key"), InvalidRequest("has no seed")])
@in_virtual_time
async def test_a_deployment_that_cannot_be_asked_lets_the_next_one_try(error: GatewayError) -> None:
    class Unable(PlainProvider):
        def request(self, *args: Any, **options: Any) -> Any:
            raise error

    def direct_of(entry: Deployment) -> DirectProvider:
        if entry.model == "keyless" and isinstance(error, CredentialMissing):
            raise error
        return PlainProvider(entry) if entry.model == "m-1" else Unable(entry)

    async with upstream(answering()) as server, Engine(direct_of, choose=first) as engine:
        unable, able = deployment(server.url, model="keyless"), deployment(server.url)
        reply = await engine.call(call_of(unable, able))
        assert (reply.deployment, reply.tries) == (able, 1)
        assert await failure(engine, call_of(unable)) is error
