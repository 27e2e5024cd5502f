"""The process of a step is killed at every call it makes, and the promises hold each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nightmail.batch import BatchStatus
from nightmail.providers.base import Limits
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.steps import collection
from nightmail.stores import multipart

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.world import Fate, World, requests

LINES = 5
_MOST_CALLS = 1000
AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a file of 16 MB or 50,000 lines meets, a file of a few lines meets as well."""
    monkeypatch.setattr(multipart, "PART_BYTES", 300)
    monkeypatch.setattr(collection, "RUN_BYTES", 1000)
    monkeypatch.setattr(OpenAIProvider, "limits", Limits(lines=3, bytes=1000))


def worlds(simulator: SimulatorClient, after: bool, *faults: Json) -> Iterator[World]:
    """A world with a kill at each call, until one comes whose kill nobody meets."""
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        simulator.set(batch_seconds=0)
        simulator.behave(*faults)
        world = World(simulator, fate=Fate(kill_at=number, after=after))
        yield world
        if world.fate.calls < number:
            return


@AFTER
def test_a_batch_completes(simulator: SimulatorClient, after: bool) -> None:
    for world in worlds(simulator, after):
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(LINES)).output) == LINES
        assert len(world.provider_batches()) == 1


@AFTER
def test_a_batch_of_many_shards_and_suspended_steps_completes(
    simulator: SimulatorClient, after: bool, small_pieces: None
) -> None:
    for world in worlds(simulator, after):
        world.lines_a_run = 2
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(LINES)).output) == LINES
        for shard in world.shards:
            assert len(world.provider_batches(shard.number)) == 1


@AFTER
def test_a_wrong_file_fails_and_nothing_is_sent(simulator: SimulatorClient, after: bool) -> None:
    lines = [*requests(LINES), *requests(1)]
    for world in worlds(simulator, after):
        world.lines_a_run = 2
        world.create(lines)
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert [(error.code, error.line) for error in world.batch.errors] == [
            ("duplicate_custom_id", LINES + 1)
        ]
        assert simulator.calls() == []
