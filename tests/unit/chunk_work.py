"""Chunks at work: a batch whose lines go directly, and a worker that calls them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from nightmail.chunk import Chunk

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.world import Results, World

CALLS = {"path": "/chat/completions"}
HOLD = {"kind": "hold", "match": CALLS}


def planned(simulator: SimulatorClient, lines: list[Json], **more: Any) -> World:
    """A world with a batch whose lines go directly."""
    created = {name: more.pop(name) for name in ("answered", "lane") if name in more}
    world = World(simulator, **{"lane": "direct", **more})
    world.create(lines, **created)
    while world.step("PlanBatch")["next"] == "more":
        pass
    return world


def run(world: World, number: int = 1) -> tuple[str, int]:
    """Run a chunk as far as it goes without waiting."""
    while (step := world.step("RunChunk", number))["next"] == "more":
        pass
    return step["next"], step["wait_seconds"]


def the_chunk(world: World) -> Chunk:
    (chunk,) = world.chunks
    return chunk


def delivered(world: World) -> Results:
    world.step("FinalizeBatch")
    return world.results()


def chat_calls(world: World) -> int:
    return len(world.simulator.calls(path="/chat/completions"))


@contextmanager
def running(world: World) -> Iterator[Future[Json]]:
    """A worker at work in another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(world.step, "RunChunk", 1)
