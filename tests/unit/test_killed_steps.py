"""The process of a step is killed at every call it makes, and the promises hold each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nightmail.batch import BatchStatus
from nightmail.providers.base import Limits
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.steps import collect_shard, collection
from nightmail.stores import multipart

from local.simulator.client import SimulatorClient
from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.world import World, requests

LINES = 4
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


def test_the_small_pieces_do_make_steps_stop_and_go_on(
    simulator: SimulatorClient, small_pieces: None
) -> None:
    world = World(simulator, lines_a_run=2)
    world.create(requests(LINES))
    world.run()
    for state in ("PlanBatch", "CollectShard", "FinalizeBatch"):
        assert world.machine.visited.count(state) > 2
    assert len(world.shards) == 2
    assert len(world.shards[0].runs) > 1


@AFTER
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "missing"},
        {"kind": "drop", "when": "after", "match": {"method": "POST", "path": "/batches"}},
        {"kind": "drop", "when": "after", "match": {"path": "/files/*/content"}},
        {"kind": "failed_batch", "errors": [{"code": "token_limit_exceeded", "message": "Full."}]},
        {"kind": "late_output", "polls": 2},
    ],
    ids=["missing", "drop_create", "drop_content", "queue_full", "late_output"],
)
def test_a_batch_with_a_misbehaving_provider_completes(
    simulator: SimulatorClient, after: bool, fault: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect_shard, "PATIENCE", 1)
    for world in worlds(simulator, after, {**fault, "times": 1}):
        world.create(requests(2))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        world.check_promises(requests(2))


@AFTER
def test_a_cancelled_batch_delivers_what_was_answered(
    simulator: SimulatorClient, after: bool
) -> None:
    for world in worlds(simulator, after, {"kind": "stuck_batch", "after_lines": 2}):
        world.cancel_at = "WaitToPoll"
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.CANCELLED
        assert len(world.check_promises(requests(LINES)).output) == 2
        assert len(world.provider_batches()) == 1


@AFTER
def test_a_batch_that_its_provider_fails_ends_with_every_line_told(
    simulator: SimulatorClient, after: bool
) -> None:
    errors = [{"code": "invalid_request", "message": "No.", "param": "body.model", "line": 2}]
    for world in worlds(simulator, after, {"kind": "failed_batch", "errors": errors}):
        world.create(requests(2))
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert [error.line for error in world.batch.errors] == [2]
        assert len(world.check_promises(requests(2)).errors) == 2
