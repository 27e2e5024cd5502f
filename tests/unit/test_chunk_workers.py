"""Workers stop, die, meet each other and go on, and no line that was answered is called again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from nightmail.engine.tries import DEFAULT_RETRIES
from nightmail.errors import StorageUnavailable
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import Ending
from nightmail.steps import chunk_calls, chunk_runs, log_segments, run_chunk
from nightmail.work_keys import log_prefix, work_folder

from local.simulator.client import SimulatorClient
from tests.patience import wait_until
from tests.unit.chunk_work import (
    CALLS,
    HOLD,
    chat_calls,
    delivered,
    planned,
    run,
    running,
    the_chunk,
)
from tests.unit.machine import Json
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID
from tests.unit.world import MODEL, World, requests

LOG = log_prefix(work_folder(BATCH_ID, "chunk", 1, 0))


def logs(world: World) -> list[str]:
    """The objects that may be of the chunk's log."""
    return [segment.key for segment in world.stores.objects.segments(LOG)]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save, and look at the batch, at every opportunity."""
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 0.01)


# ---- Stopping and going on


@pytest.mark.parametrize("lines_a_run", [1, 3])
def test_a_worker_whose_time_is_up_goes_on_where_it_stopped(
    simulator: SimulatorClient, lines_a_run: int
) -> None:
    world = planned(simulator, requests(10), concurrency=2)
    world.lines_a_run = lines_a_run
    assert world.step("RunChunk", 1)["next"] == "more"
    assert 0 < the_chunk(world).completed < 10
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 10
    assert set(simulator.paid().values()) == {1}


def test_calls_that_outlast_the_worker_are_cut_off_and_made_again(
    simulator: SimulatorClient, soon: None
) -> None:
    simulator.behave({**HOLD, "match": {**CALLS, "text": "Q2?"}, "times": 1})
    world = planned(simulator, requests(3))
    world.work_seconds = 1.0
    assert world.step("RunChunk", 1)["next"] == "more"
    simulator.until_calls("disconnected")
    assert the_chunk(world).completed == 2
    assert run(world) == ("done", 0)
    assert set(simulator.paid().values()) == {1}


def test_what_is_answered_is_saved_while_others_are_under_way(
    simulator: SimulatorClient, soon: None
) -> None:
    simulator.behave({**HOLD, "match": {**CALLS, "text": "Q3?"}})
    world = planned(simulator, requests(3))
    with running(world) as worker:
        wait_until(lambda: the_chunk(world).completed >= 2, 0.01)
        assert not worker.done()
        assert the_chunk(world).lease_until > world.now
        simulator.release()
        assert worker.result()["next"] == "done"


def test_outcomes_that_a_dead_worker_wrote_are_found_and_booked(
    simulator: SimulatorClient,
) -> None:
    world = planned(simulator, requests(3))
    answer = {"status_code": 200, "body": {"model": MODEL, "usage": {"prompt_tokens": 7}}}
    outcomes = [
        Outcome(2, Kind.FAILED, error={"code": "c", "message": "m"}),
        Outcome(3, Kind.ANSWERED, answer, details={"provider": "dead", "cost": 0.25}),
    ]
    world.stores.objects.put(f"{LOG}orphan.jsonl", b"".join(map(to_row, outcomes)))
    run(world)
    chunk = the_chunk(world)
    assert (chunk.completed, chunk.failed) == (2, 1)
    assert chat_calls(world) == 1
    (orphan,) = [bill for bill in chunk.bills if bill.provider == "dead"]
    assert (orphan.usage.input_tokens, orphan.cost.amount) == (7, Decimal("0.25"))
    assert logs(world) == sorted(segment.key for segment in chunk.log)


def test_a_log_of_many_segments_is_joined_and_nothing_else_is_left(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, soon: None
) -> None:
    monkeypatch.setattr(log_segments, "_MOST_SEGMENTS", 4)
    monkeypatch.setattr(log_segments, "_JOINED_AT_ONCE", 2)
    world = planned(simulator, requests(40), concurrency=2)
    run(world)
    chunk = the_chunk(world)
    assert len(chunk.log) <= 5
    assert logs(world) == sorted(segment.key for segment in chunk.log)
    world.step("FinalizeBatch")
    assert len(world.check_promises(requests(40)).output) == 40


def test_a_chunk_of_any_size_is_worked_off_in_slices(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_chunk, "_MOST_LINES", 4)
    world = planned(simulator, requests(30), concurrency=3)
    assert world.step("RunChunk", 1)["next"] == "done"
    world.step("FinalizeBatch")
    assert len(world.check_promises(requests(30)).output) == 30


def test_lines_that_are_left_hold_no_other_back(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_chunk, "_MOST_LINES", 2)
    times, match = 1 + DEFAULT_RETRIES, {**CALLS, "text": "Q1?"}
    simulator.behave({"kind": "status", "status": 503, "times": times, "match": match})
    world = planned(simulator, requests(9), concurrency=1)
    assert world.step("RunChunk", 1) == {"v": 1, "next": "run", "wait_seconds": 5}
    assert the_chunk(world).completed == 8
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 9


def test_sorting_stops_in_time_and_goes_on(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_runs, "RUN_BYTES", 2000)
    world = planned(simulator, requests(20))
    world.lines_a_run = 20
    assert world.step("RunChunk", 1)["next"] == "more"
    world.lines_a_run = 1
    steps = 1
    while world.step("RunChunk", 1)["next"] == "more":
        steps += 1
    assert steps >= len(the_chunk(world).runs) - 1 > 2
    assert set(simulator.paid().values()) == {1}
    world.lines_a_run = 0
    world.step("FinalizeBatch")
    assert len(world.check_promises(requests(20)).output) == 20


def test_an_answer_that_is_big_is_saved_at_once(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_calls, "_MOST_UNSAVED_BYTES", 1)
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 60)
    first = {"kind": "slow", "seconds": 0, "match": {**CALLS, "text": "Q1?"}}
    simulator.behave(first, HOLD)
    world = planned(simulator, requests(20), concurrency=10)
    with running(world) as worker:
        wait_until(lambda: the_chunk(world).completed >= 1, 0.01)
        simulator.behave()
        simulator.release()
        assert worker.result()["next"] == "done"
    assert the_chunk(world).completed == 20


# ---- Leases


def test_a_chunk_that_somebody_works_on_is_left_to_him(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(3))
    world.stores.parts.take_lease(BATCH_ID, "chunk", 1, world.now, 30)
    assert run(world) == ("run", 10)
    assert simulator.calls() == []
    world.now += 30
    assert run(world) == ("done", 0)


def test_a_worker_that_was_overtaken_stops_and_its_answers_are_kept(
    simulator: SimulatorClient, soon: None
) -> None:
    simulator.behave({**HOLD, "match": {**CALLS, "text": "Q3?"}, "times": 1})
    world = planned(simulator, requests(4))
    with running(world) as worker:
        wait_until(lambda: the_chunk(world).completed >= 3, 0.01)
        world.stores.parts.release(the_chunk(world))
        simulator.release()
        assert worker.result() == {"v": 1, "next": "run", "wait_seconds": 10}
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 4
    assert set(simulator.paid().values()) == {1}


@pytest.mark.parametrize("batch", ["known", "unknown"])
def test_an_unknown_chunk_is_done(simulator: SimulatorClient, batch: str) -> None:
    world = planned(simulator, requests(1)) if batch == "known" else World(simulator)
    assert world.step("RunChunk", 7)["next"] == "done"


def test_a_chunk_that_is_done_is_not_run_again(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(2))
    run(world)
    before = the_chunk(world).model_dump(exclude={"fence"})
    assert run(world) == ("done", 0)
    assert the_chunk(world).model_dump(exclude={"fence"}) == before
    assert chat_calls(world) == 2


# ---- Cancelled and expired


def test_a_cancelled_batch_closes_its_calls_at_once_and_keeps_what_was_answered(
    simulator: SimulatorClient, soon: None
) -> None:
    simulator.behave({**HOLD, "match": {**CALLS, "text": "Q3?"}})
    world = planned(simulator, requests(5), concurrency=5)
    with running(world) as worker:
        wait_until(lambda: the_chunk(world).completed >= 4, 0.01)
        world.cancel()
        assert worker.result()["next"] == "done"
        simulator.until_calls("disconnected")
    assert the_chunk(world).ending is Ending.CANCELLED
    world.step("FinalizeBatch")
    assert world.batch.status.value == "cancelled"
    results = world.check_promises(requests(5))
    assert len(results.output) == 4
    assert results.error_codes == ["batch_cancelled"]


def test_a_batch_whose_window_ends_keeps_what_was_answered(
    simulator: SimulatorClient, soon: None
) -> None:
    simulator.behave({**HOLD, "match": {**CALLS, "text": "Q3?"}})
    world = planned(simulator, requests(5))
    with running(world) as worker:
        wait_until(lambda: the_chunk(world).completed >= 4, 0.01)
        world.now = world.batch.expires_at
        assert worker.result()["next"] == "done"
    world.step("FinalizeBatch")
    assert world.batch.status.value == "expired"
    assert world.check_promises(requests(5)).error_codes == ["batch_expired"]


def test_a_chunk_of_a_cancelled_batch_is_never_called(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(5))
    world.cancel()
    assert run(world) == ("done", 0)
    assert simulator.calls() == []
    assert the_chunk(world).failed == 5


# ---- Memory


def embedding(number: int, inputs: int) -> Json:
    body = {"model": MODEL, "input": [f"{number}.{n}" for n in range(inputs)], "dimensions": 64}
    url = "/v1/embeddings"
    return {"custom_id": f"line-{number}", "method": "POST", "url": url, "body": body}


def test_of_big_answers_fewer_are_in_flight(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_calls, "_MOST_BYTES_IN_FLIGHT", 60_000)
    monkeypatch.setattr(chunk_calls, "_FIRST_GUESSES", {"/v1/embeddings": 20_000})
    world = World(simulator, lane="direct", concurrency=20)
    world.create([embedding(n, inputs=20) for n in range(30)], endpoint="/v1/embeddings")
    world.run()
    assert world.batch.counts.completed == 30
    assert simulator.totals("openai", "gpt-5-mini-upstream")["peak"] <= 3


def test_of_small_answers_all_may_be_in_flight_once_one_has_been_seen(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_calls, "_MOST_BYTES_IN_FLIGHT", 100_000)
    monkeypatch.setattr(chunk_calls, "_FIRST_GUESSES", {"/v1/embeddings": 100_000})
    latency = {"kind": "latency", "seconds": 0.05}
    simulator.behave(latency)
    world = World(simulator, lane="direct", concurrency=20)
    world.create([embedding(n, inputs=1) for n in range(60)], endpoint="/v1/embeddings")
    world.run()
    assert world.batch.counts.completed == 60
    assert simulator.totals("openai", "gpt-5-mini-upstream")["peak"] > 5


# ---- A bucket that does not answer


class Unwell(MemoryS3):
    """Takes what it is given, and says now and then that it did not."""

    def __init__(self, *failing: int) -> None:
        super().__init__()
        self._failing = set(failing)
        self._writes = 0

    def put_object(self, *, Key: str, **given: Any) -> None:  # noqa: N803 - boto3's name
        super().put_object(Key=Key, **given)
        if "/log-" in Key:
            self._writes += 1
            if self._writes in self._failing:
                raise EndpointConnectionError(endpoint_url="s3")


def test_answers_whose_write_was_not_confirmed_are_written_again_and_counted_once(
    simulator: SimulatorClient,
) -> None:
    world = planned(simulator, requests(8), concurrency=4, s3=Unwell(1))
    with pytest.raises(StorageUnavailable):
        world.step("RunChunk", 1)
    assert run(world) == ("done", 0)
    chunk = the_chunk(world)
    assert (chunk.completed, chunk.failed) == (8, 0)
    assert chunk.usage.output_tokens == sum(
        line["response"]["body"]["usage"]["completion_tokens"] for line in delivered(world).output
    )
    assert sum(simulator.paid().values()) - 8 <= 4, "those that were in flight"
