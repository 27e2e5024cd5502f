"""FinishShard: lines that a shard still owes are called by its own track's child."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.chunk import Chunk, ChunkState
from nightmail.engine.tries import DEFAULT_RETRIES
from nightmail.part import Ending, Part
from nightmail.shard import ShardState

from local.simulator.client import SimulatorClient
from tests.unit.chunk_work import CALLS, chat_calls
from tests.unit.samples import BATCH_ID, sample_shard
from tests.unit.world import World, requests

LINES = requests(6)


def passed_on(simulator: SimulatorClient, *successors: Part, **more: Any) -> World:
    """A shard that passed all its lines on to a chunk; `successors` come behind that."""
    world = World(simulator, **more)
    world.create(LINES)
    world.step("PlanBatch")
    shard = world.shard
    chunk = Chunk(
        batch_id=BATCH_ID,
        track="shard",
        number=1,
        round=1,
        endpoint=shard.endpoint,
        deployment=shard.deployment,
        lines=shard.lines,
        index=shard.index,
    )
    emptied = shard.changed(
        state=ShardState.COLLECTED, ending=Ending.COMPLETED, lines=0, index=[], completed=0
    )
    world.stores.parts.pass_on(emptied, [chunk, *successors])
    return world


def the_rest(world: World) -> Chunk:
    (chunk,) = world.chunks
    return chunk


def finish(world: World) -> tuple[str, int]:
    while (step := world.step("FinishShard", 1))["next"] == "more":
        pass
    return step["next"], step["wait_seconds"]


@pytest.mark.parametrize("lines_a_run", [0, 1, 4])
def test_the_rest_of_a_shard_is_called_and_delivered_in_order(
    simulator: SimulatorClient, lines_a_run: int
) -> None:
    world = passed_on(simulator, concurrency=2)
    world.lines_a_run = lines_a_run
    assert finish(world) == ("done", 0)
    assert the_rest(world).state is ChunkState.DONE
    world.lines_a_run = 0
    world.step("FinalizeBatch")
    assert len(world.check_promises(LINES).output) == 6
    assert set(world.results().lanes) == {"direct"}


def test_lines_that_may_heal_are_waited_for(simulator: SimulatorClient) -> None:
    times = len(LINES) * (1 + DEFAULT_RETRIES)
    simulator.behave({"kind": "status", "status": 503, "times": times, "match": CALLS})
    world = passed_on(simulator)
    assert finish(world) == ("run", 5)
    assert finish(world) == ("done", 0)


def test_what_comes_behind_the_chunk_is_what_the_track_waits_for(
    simulator: SimulatorClient,
) -> None:
    world = passed_on(simulator, sample_shard(round=2))
    assert finish(world) == ("submit", 0)
    assert finish(world) == ("submit", 0)
    assert chat_calls(world) == 6


def test_a_shard_whose_turn_it_is_to_be_submitted_is_not_called(simulator: SimulatorClient) -> None:
    world = World(simulator)
    world.create(LINES)
    world.step("PlanBatch")
    before = world.shard
    assert finish(world) == ("submit", 0)
    assert world.shard == before
    assert simulator.calls() == []


@pytest.mark.parametrize("number", [1, 7])
def test_where_there_is_nothing_left_the_track_is_done(
    simulator: SimulatorClient, number: int
) -> None:
    world = passed_on(simulator)
    finish(world)
    assert world.step("FinishShard", number)["next"] == "done"
    assert chat_calls(world) == 6
