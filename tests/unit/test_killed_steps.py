"""The process of a step is killed at every call it makes, and the promises hold each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.providers.base import Limits
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.steps import chunk_runs, collect_shard, collection, run_chunk
from nightmail.stores import multipart
from nightmail.work_keys import answered_key

from local.simulator.client import SimulatorClient
from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.samples import BATCH_ID
from tests.unit.world import World, request, requests

LINES = 4
_MOST_CALLS = 1000
AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a file of 16 MB or 50,000 lines meets, a file of a few lines meets as well."""
    monkeypatch.setattr(multipart, "PART_BYTES", 300)
    monkeypatch.setattr(collection, "RUN_BYTES", 1000)
    monkeypatch.setattr(OpenAIProvider, "limits", Limits(lines=3, bytes=1000))


def worlds(simulator: SimulatorClient, after: bool, *faults: Json, **more: Any) -> Iterator[World]:
    """A world with a kill at each call, until one comes whose kill nobody meets."""
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        simulator.set(batch_seconds=0)
        simulator.behave(*faults)
        world = World(simulator, fate=Fate(kill_at=number, after=after), **more)
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


# ---- The direct lane

CONCURRENCY = 2


def repeats(simulator: SimulatorClient) -> int:
    """Calls that were paid although their lines had been paid before."""
    return sum(simulator.paid().values()) - len(simulator.paid())


@pytest.fixture
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_runs, "_MOST_RUNS", 2)


@AFTER
@pytest.mark.parametrize("lines_a_run", [0, 3], ids=["whole", "suspended"])
def test_a_direct_batch_completes_and_no_more_is_called_again_than_was_in_flight(
    simulator: SimulatorClient, after: bool, lines_a_run: int, few_runs: None
) -> None:
    lines = [*requests(7), request(8, "[[fail:400]]")]
    direct = {"lane": "direct", "chunk_lines": 6, "concurrency": CONCURRENCY}
    for world in worlds(simulator, after, **direct):
        world.lines_a_run = lines_a_run
        world.create(lines)
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(lines, paid_once=False).output) == 7
        assert repeats(simulator) <= 2 * CONCURRENCY


@AFTER
def test_a_limited_direct_batch_completes(
    simulator: SimulatorClient, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 0.05)
    limits = {"rpm": 60_000, "max_parallel_requests": 2}
    direct = {"lane": "direct", "concurrency": CONCURRENCY, "limits": limits}
    for world in worlds(simulator, after, **direct):
        world.create(requests(3))
        assert world.run().state == "BatchEnded"
        assert len(world.check_promises(requests(3), paid_once=False).output) == 3
        assert repeats(simulator) <= 2 * CONCURRENCY


@AFTER
def test_lines_that_were_answered_before_the_batch_are_never_called(
    simulator: SimulatorClient, after: bool
) -> None:
    for world in worlds(simulator, after, chunk_lines=2):
        rows = (
            to_row(Outcome(number, Kind.ANSWERED, response={"body": {"n": number}}))
            for number in (1, 4)
        )
        answered = world.stores.objects.put(answered_key(BATCH_ID), b"".join(rows))
        world.create(requests(4), lane="direct", answered=answered)
        assert world.run().state == "BatchEnded"
        bodies = [line["response"]["body"] for line in world.results().output]
        assert len(bodies) == 4
        assert (bodies[0], bodies[3]) == ({"n": 1}, {"n": 4})
        assert len(simulator.paid()) == 2


@AFTER
def test_a_direct_batch_whose_key_is_refused_fails_with_every_line_told(
    simulator: SimulatorClient, after: bool
) -> None:
    for world in worlds(simulator, after, {"kind": "refused_key"}, lane="direct", chunk_lines=2):
        world.create(requests(3))
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert len(world.batch.errors) == 1
        assert len(world.check_promises(requests(3)).errors) == 3
