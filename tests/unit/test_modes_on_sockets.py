"""The modes over the engine itself and real connections: losers are gone before the winner is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from itertools import permutations
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.engine.engine import Engine
from nightmail.modes.all_responses import stream_all
from nightmail.modes.many import run_many
from nightmail.modes.race import race, stream_race
from nightmail.modes.requests import parse_many, parse_models
from nightmail.modes.runner import Runner

from tests.unit.loopback import Upstream, Visit, deployment, plain, upstream
from tests.unit.scripted_engine import END, ROLE, answer, chunk
from tests.unit.virtual_time import in_virtual_time

HI = [{"role": "user", "content": "Hi"}]
ORDERS = list(permutations(("slow", "fast", "bad")))
Act = Callable[[Visit], Awaitable[None]]


class Served:
    """Any model, at one upstream."""

    def __init__(self, running: Upstream) -> None:
        self._running = running

    def deployments(self, name: str) -> list[Deployment]:
        return [deployment(self._running.url, name=name, num_retries=0)]

    def fallbacks(self, name: str) -> list[str]:
        return []


class Stage:
    """What each model does; who was asked, and who was hung up on, can be waited for."""

    def __init__(self) -> None:
        self.acts: dict[str, Act] = {"bad": refuse}
        self.come: asyncio.Queue[str] = asyncio.Queue()
        self.gone: asyncio.Queue[str] = asyncio.Queue()

    async def play(self, visit: Visit) -> None:
        self.come.put_nowait(visit.body["model"])
        await self.acts[visit.body["model"]](visit)

    async def hold(self, visit: Visit) -> None:
        """Never answers; returns when the other side has gone."""
        await visit.gone()
        self.gone.put_nowait(visit.body["model"])
        visit.hang_up()

    async def open_and_hold(self, visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(ROLE)
        await self.hold(visit)

    async def all_have_come(self, count: int) -> None:
        for _ in range(count):
            await self.come.get()


async def refuse(visit: Visit) -> None:
    await visit.answer({"error": {"message": "No."}}, 400)


def asked(*models: str, **fields: Any) -> Any:
    return parse_models({"models": list(models), "messages": HI, **fields}, fastest=True)


@pytest.mark.parametrize("models", ORDERS)
@in_virtual_time
async def test_the_losers_connection_is_closed_while_it_is_still_held(
    models: tuple[str, ...],
) -> None:
    stage = Stage()

    async def win(visit: Visit) -> None:
        await stage.all_have_come(3)
        await visit.answer(answer("won"))

    stage.acts |= {"slow": stage.hold, "fast": win}
    async with upstream(stage.play) as running, Engine(plain) as engine:
        raced = await race(asked(*models), Runner(engine, Served(running)))
        assert raced.winner == "fast"
        assert await stage.gone.get() == "slow"
    outcomes = {line["model"]: line["outcome"] for line in raced.report}
    assert outcomes == {"slow": "cancelled", "fast": "won", "bad": "failed"}


@pytest.mark.parametrize("models", ORDERS)
@in_virtual_time
async def test_a_stream_that_opened_first_loses_to_the_first_that_talks(
    models: tuple[str, ...],
) -> None:
    stage = Stage()
    is_open = asyncio.Event()

    async def open_only(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(ROLE)
        is_open.set()
        await stage.hold(visit)

    async def talk(visit: Visit) -> None:
        await is_open.wait()
        await visit.begin_stream()
        await visit.event(chunk(content="Hello"))
        await visit.event(END)
        await visit.end_stream()

    stage.acts |= {"slow": open_only, "fast": talk}
    async with upstream(stage.play) as running, Engine(plain) as engine:
        raced = await stream_race(asked(*models, stream=True), Runner(engine, Served(running)))
        assert raced.winner == "fast"
        assert await stage.gone.get() == "slow"
        assert [piece async for piece in raced.chunks] == [chunk(content="Hello"), END]


@in_virtual_time
async def test_a_winner_that_nobody_reads_on_is_hung_up_on() -> None:
    stage = Stage()

    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(chunk(content="Hello"))
        await stage.hold(visit)

    stage.acts["a"] = talk
    async with upstream(stage.play) as running, Engine(plain) as engine:
        raced = await stream_race(asked("a", stream=True), Runner(engine, Served(running)))
        await raced.chunks.aclose()
        assert await stage.gone.get() == "a"


@in_virtual_time
async def test_closing_all_streams_hangs_up_on_each() -> None:
    stage = Stage()
    stage.acts |= {"a": stage.open_and_hold, "b": stage.open_and_hold}
    body = {"models": ["a", "b"], "messages": HI, "stream": True}
    request = parse_models(body, fastest=False)
    async with upstream(stage.play) as running, Engine(plain) as engine:
        async with aclosing(stream_all(request, Runner(engine, Served(running)))) as chunks:
            assert {(await anext(chunks))["nightmail"]["index"] for _ in "ab"} == {0, 1}
        assert {await stage.gone.get() for _ in "ab"} == {"a", "b"}


@in_virtual_time
async def test_closing_many_prompts_hangs_up_on_those_in_flight() -> None:
    stage = Stage()

    async def act(visit: Visit) -> None:
        if visit.body["messages"][0]["content"] == "fast":
            await visit.answer(answer("fast"))
        else:
            await stage.hold(visit)

    stage.acts["m"] = act
    prompts = [[{"role": "user", "content": text}] for text in ("slow", "fast", "slow")]
    request = parse_many({"model": "m", "messages": prompts})
    async with upstream(stage.play) as running, Engine(plain) as engine:
        async with aclosing(run_many(request, Runner(engine, Served(running)))) as many:
            assert (await anext(many)).item["choices"][0]["message"]["content"] == "fast"
            await stage.all_have_come(3)
        assert [await stage.gone.get() for _ in "ab"] == ["m", "m"]
