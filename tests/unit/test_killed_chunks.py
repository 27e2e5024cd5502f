"""A worker of the direct lane is killed at every call it makes, and the promises hold each time."""

from __future__ import annotations

import pytest
from nightmail.batch import BatchStatus
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.steps import chunk_runs, log_segments, run_chunk
from nightmail.work_keys import answered_key

from local.simulator.client import SimulatorClient
from tests.unit.deaths import repeats, worlds
from tests.unit.samples import BATCH_ID
from tests.unit.world import request, requests

CONCURRENCY = 2


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_segments, "_MOST_SEGMENTS", 2)
    monkeypatch.setattr(log_segments, "_JOINED_AT_ONCE", 2)
    monkeypatch.setattr(chunk_runs, "RUN_BYTES", 1000)


@pytest.mark.parametrize("lines_a_run", [0, 3], ids=["whole", "suspended"])
def test_a_direct_batch_completes_and_no_more_is_called_again_than_was_in_flight(
    simulator: SimulatorClient, lines_a_run: int, short_log: None
) -> None:
    lines = [*requests(7), request(8, "[[fail:400]]")]
    direct = {"lane": "direct", "chunk_lines": 6, "concurrency": CONCURRENCY}
    for world in worlds(simulator, **direct):
        world.lines_a_run = lines_a_run
        world.create(lines)
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(lines, paid_once=False).output) == 7
        assert repeats(simulator) <= 2 * CONCURRENCY


def test_a_limited_direct_batch_completes(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 0.05)
    limits = {"rpm": 60_000, "max_parallel_requests": 2}
    direct = {"lane": "direct", "concurrency": CONCURRENCY, "limits": limits}
    for world in worlds(simulator, **direct):
        world.create(requests(3))
        assert world.run().state == "BatchEnded"
        assert len(world.check_promises(requests(3), paid_once=False).output) == 3
        assert repeats(simulator) <= 2 * CONCURRENCY


def test_lines_that_were_answered_before_the_batch_are_never_called(
    simulator: SimulatorClient,
) -> None:
    for world in worlds(simulator, chunk_lines=2):
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


def test_a_direct_batch_whose_key_is_refused_fails_with_every_line_told(
    simulator: SimulatorClient,
) -> None:
    for world in worlds(simulator, {"kind": "refused_key"}, lane="direct", chunk_lines=2):
        world.create(requests(3))
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert len(world.batch.errors) == 1
        assert len(world.check_promises(requests(3)).errors) == 3
