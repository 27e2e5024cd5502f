"""Cancelling closes the provider's connection at once, and leaves nothing behind. No clocks: events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.engine.pace import LocalPace

from tests.unit.engine_calls import call_of
from tests.unit.loopback import GOOD, Upstream, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time, settled

CHUNK = {"word": "one"}


class Paces:
    """Makes the paces of an engine, and counts who is inside."""

    def __init__(self) -> None:
        self._made: list[LocalPace] = []

    def __call__(self, entry: Deployment) -> LocalPace:
        self._made.append(LocalPace(entry))
        return self._made[-1]

    @property
    def inside(self) -> int:
        return sum(pace._in_flight for pace in self._made)


class Holding:
    """A provider that holds every request at some point of its answer until the other side is gone."""

    def __init__(self, begin: Callable[[Visit], Coroutine[Any, Any, None]]) -> None:
        self._begin = begin
        self.held = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        await self._begin(visit)
        self.held.set()
        await visit.gone()
        self.gone.set()


async def nothing(visit: Visit) -> None:
    pass


async def head(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")


async def half(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


async def one_chunk(visit: Visit) -> None:
    await visit.begin_stream()
    await visit.event(CHUNK)


@asynccontextmanager
async def engine_at(holding: Holding) -> AsyncGenerator[tuple[Engine, Upstream, Paces]]:
    paces = Paces()
    async with upstream(holding) as server, Engine(plain, pace_of=paces) as engine:
        yield engine, server, paces
        assert paces.inside == 0


async def consume(chunks: AsyncGenerator[Any]) -> None:
    async for _ in chunks:
        pass


@pytest.mark.parametrize("begin", [nothing, head, half])
@in_virtual_time
async def test_a_cancelled_call_closes_its_connection(begin: Any) -> None:
    holding = Holding(begin)
    async with engine_at(holding) as (engine, server, paces):
        task = asyncio.create_task(engine.call(call_of(deployment(server.url))))
        await holding.held.wait()
        assert paces.inside == 1
        task.cancel()
        await holding.gone.wait()
        await asyncio.wait([task])
        assert task.cancelled()


@pytest.mark.parametrize("begin", [nothing, one_chunk])
@in_virtual_time
async def test_a_cancelled_stream_closes_its_connection(begin: Any) -> None:
    holding = Holding(begin)
    async with engine_at(holding) as (engine, server, _):
        task = asyncio.create_task(consume(engine.stream(call_of(deployment(server.url)))))
        await holding.held.wait()
        await settled()
        task.cancel()
        await holding.gone.wait()
        await asyncio.wait([task])
        assert task.cancelled()


@in_virtual_time
async def test_a_closed_stream_closes_its_connection() -> None:
    holding = Holding(one_chunk)
    async with engine_at(holding) as (engine, server, _):
        chunks = engine.stream(call_of(deployment(server.url)))
        assert await anext(chunks) == CHUNK
        await chunks.aclose()
        await holding.gone.wait()


@in_virtual_time
async def test_the_winner_is_there_while_the_loser_is_cut_off() -> None:
    loser = Holding(nothing)
    async with upstream(Visit.answer) as fast, engine_at(loser) as (engine, slow, _):
        losing = asyncio.create_task(engine.call(call_of(deployment(slow.url))))
        await loser.held.wait()
        reply = await engine.call(call_of(deployment(fast.url)))
        assert reply.body == GOOD
        assert not loser.gone.is_set()
        losing.cancel()
        await loser.gone.wait()
        await asyncio.wait([losing])


@in_virtual_time
async def test_a_closed_run_cancels_what_is_in_flight_and_waits_for_it() -> None:
    held: list[Visit] = []
    gone: list[Visit] = []

    async def script(visit: Visit) -> None:
        if not server.visits[1:]:
            await visit.answer()
            return
        held.append(visit)
        await visit.gone()
        gone.append(visit)

    paces = Paces()
    async with upstream(script) as server, Engine(plain, pace_of=paces) as engine:
        outcomes = engine.run([call_of(deployment(server.url))] * 100, concurrency=10)
        await anext(outcomes)
        while len(held) < 10:
            await settled()
        await outcomes.aclose()
        assert paces.inside == 0
        await settled()
        assert asyncio.all_tasks() - {asyncio.current_task()} == server.tasks
    assert len(gone) == len(held) == 10


async def call_once(engine: Engine, call: Call) -> None:
    await engine.call(call)


async def stream_once(engine: Engine, call: Call) -> None:
    await consume(engine.stream(call))


async def run_once(engine: Engine, call: Call) -> None:
    await consume(engine.run([call] * 3, concurrency=2))


async def cut_short(work: Coroutine[Any, Any, None], turns: int, seconds: float) -> bool:
    """Cancels `work` after so many turns of the event loop; whether it had not ended before."""
    task = asyncio.create_task(work)
    for _ in range(turns):
        await asyncio.sleep(seconds)
    running = task.cancel()
    await asyncio.wait([task])
    return running


@pytest.mark.parametrize("use", [call_once, stream_once, run_once])
@pytest.mark.parametrize("seconds", [0, 0.1], ids=["in a try", "between tries"])
@in_virtual_time
async def test_cancelled_anywhere_nothing_is_left_behind(
    use: Callable[[Engine, Call], Coroutine[Any, Any, None]], seconds: float
) -> None:
    faults: list[int] = []

    async def script(visit: Visit) -> None:
        if faults:
            await visit.answer({}, faults.pop(0))
        elif visit.body["stream"]:
            await one_chunk(visit)
            await visit.end_stream()
        else:
            await visit.answer()

    turns, running = 0, True
    async with upstream(script) as server:
        call = call_of(deployment(server.url, max_parallel_requests=1))
        while running:
            faults[:] = [429, 500] if seconds else []
            paces = Paces()
            async with Engine(plain, pace_of=paces) as engine:
                running = await cut_short(use(engine, call), turns, seconds)
                assert paces.inside == 0
                assert all(lane.busy == 0 for lane in engine._lanes.values())
                await settled()
                assert len(server.tasks) <= 1  # the connection that is kept for the next
                faults.clear()
                assert (await engine.call(call)).body == GOOD
            turns += 1
    assert turns > 5


@in_virtual_time
async def test_a_generator_that_nobody_closes_is_closed_when_it_is_forgotten() -> None:
    holding = Holding(one_chunk)
    async with engine_at(holding) as (engine, server, _):
        chunks = engine.stream(call_of(deployment(server.url)))
        assert await anext(chunks) == CHUNK
        del chunks
        await holding.gone.wait()
        await settled()
