"""RunChunk: every line is called once, whatever its answer, and wherever the work stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from nightmail.chunk import Chunk, ChunkState
from nightmail.deployment import Deployment
from nightmail.errors import CredentialMissing, StorageUnavailable
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import Ending
from nightmail.providers.direct import DirectProvider
from nightmail.steps import chunk_calls, chunk_runs, run_chunk
from nightmail.steps.waits import PATIENCE
from nightmail.work_keys import answered_key

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID
from tests.unit.world import MODEL, Results, World, as_jsonl, input_file, request, requests

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


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save, and look at the batch, at every opportunity."""
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 0.01)


# ---- Answers


def test_every_line_of_a_chunk_is_answered(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(25))
    assert run(world) == ("done", 0)
    chunk = the_chunk(world)
    assert chunk.state is ChunkState.DONE
    assert chunk.ending is Ending.COMPLETED
    assert (chunk.completed, chunk.failed, chunk.lease_until) == (25, 0, 0)
    assert chunk.usage.output_tokens > chunk.usage.input_tokens > 0
    assert set(simulator.paid().values()) == {1}


def test_no_more_calls_are_in_flight_than_allowed(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(30), concurrency=4)
    run(world)
    assert simulator.totals("openai", "gpt-5-mini-upstream")["peak"] <= 4


def test_a_line_that_the_provider_refuses_is_told_so_and_its_neighbours_are_answered(
    simulator: SimulatorClient,
) -> None:
    world = planned(simulator, [request(1), request(2, "[[fail:400]]"), request(3)])
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    results = world.results()
    assert [line["custom_id"] for line in results.output] == ["line-1", "line-3"]
    (refused,) = results.errors
    assert refused["response"]["status_code"] == 400
    assert refused["response"]["body"]["error"]["type"] == "invalid_request_error"
    assert refused["nightmail"]["lane"] == "direct"


def test_a_line_that_cannot_be_converted_is_refused_like_openai_refuses_it(
    simulator: SimulatorClient,
) -> None:
    wrong = request(2)
    wrong["body"]["messages"] = [{"role": "user", "content": 7}]
    world = planned(simulator, [request(1), wrong], provider="anthropic")
    run(world)
    world.step("FinalizeBatch")
    assert len(world.results().output) == 1
    (refused,) = world.results().errors
    assert refused["response"]["status_code"] == 400
    assert "messages[0]" in refused["response"]["body"]["error"]["param"]
    assert len(simulator.calls()) == 1


def test_an_endpoint_that_the_provider_has_not_is_an_error_of_each_line(
    simulator: SimulatorClient,
) -> None:
    lines = [
        {
            "custom_id": f"r{n}",
            "method": "POST",
            "url": "/v1/moderations",
            "body": {"model": MODEL, "input": "x"},
        }
        for n in range(3)
    ]
    world = World(simulator, lane="direct", provider="anthropic")
    world.create(lines, endpoint="/v1/moderations")
    world.run()
    assert world.batch.status.value == "completed"
    errors = world.results().errors
    assert [line["response"]["status_code"] for line in errors] == [400] * 3
    assert "/v1/moderations" in errors[0]["response"]["body"]["error"]["message"]
    assert simulator.calls() == []


def test_a_reply_that_is_no_json_is_an_error_of_its_line(simulator: SimulatorClient) -> None:
    simulator.behave(
        {"kind": "status", "status": 200, "body": "<html>", "times": 1, "match": CALLS}
    )
    world = planned(simulator, requests(3), concurrency=1)
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    assert world.results().error_codes == ["provider_garbled"]
    assert chat_calls(world) == 3


# ---- What may heal


def test_a_line_that_fails_for_the_moment_is_tried_in_later_rounds(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(
        {"kind": "status", "status": 503, "times": 2, "match": {**CALLS, "text": "Q2?"}}
    )
    world = planned(simulator, requests(3), limits={"num_retries": 0})
    assert run(world) == ("run", 5)
    chunk = the_chunk(world)
    assert (chunk.completed, chunk.failed, chunk.rounds) == (2, 0, 1)
    assert "503" in (chunk.last_refusal or "")
    assert run(world) == ("run", 10)
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 3
    assert the_chunk(world).last_refusal is None
    assert set(simulator.paid().values()) == {1}


def test_a_line_that_never_heals_has_failed_after_so_many_rounds(
    simulator: SimulatorClient,
) -> None:
    world = World(simulator, lane="direct", limits={"num_retries": 0})
    lines = [request(1), request(2, "[[fail:500]]")]
    world.create(lines)
    world.run()
    assert world.batch.status.value == "completed"
    (failed,) = world.check_promises(lines).errors
    assert failed["response"]["status_code"] == 500
    assert chat_calls(world) == 2 + PATIENCE
    assert world.now - world.batch.created_at < 600


def test_429s_are_waited_out_for_as_long_as_the_batch_has_time(
    simulator: SimulatorClient,
) -> None:
    times = PATIENCE + 3
    simulator.behave({"kind": "status", "status": 429, "times": times, "match": CALLS})
    world = World(simulator, lane="direct", limits={"num_retries": 0})
    world.create(requests(1))
    world.run()
    assert world.batch.status.value == "completed"
    assert len(world.check_promises(requests(1)).output) == 1
    assert chat_calls(world) == times + 1


def test_a_provider_that_asks_for_patience_is_left_alone(simulator: SimulatorClient) -> None:
    busy = {"kind": "status", "status": 429, "retry_after": 1800, "match": CALLS}
    simulator.behave(busy)
    world = planned(simulator, requests(20), concurrency=2)
    assert run(world) == ("run", 1800)
    assert chat_calls(world) <= 4


def test_a_provider_out_of_reach_fails_the_lines_after_patience(simulator: SimulatorClient) -> None:
    world = World(
        simulator, lane="direct", api_base="http://127.0.0.1:9", limits={"num_retries": 0}
    )
    world.create(requests(2))
    world.run()
    assert world.batch.status.value == "completed"
    assert world.check_promises(requests(2)).error_codes == ["provider_unavailable"] * 2


# ---- Refusals of all


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_stops_the_chunk_with_its_reason(
    simulator: SimulatorClient, status: int
) -> None:
    simulator.behave({"kind": "status", "status": status, "message": "No.", "match": CALLS})
    world = World(simulator, lane="direct", concurrency=2)
    world.create(requests(20))
    assert world.run().state == "BatchFailed"
    (chunk,) = world.chunks
    assert chunk.state is ChunkState.STOPPED
    assert chat_calls(world) <= 4
    assert [error.message for error in world.batch.errors] == [f"openai answered {status}: No."]
    assert len(world.check_promises(requests(20)).errors) == 20


def test_used_up_credit_stops_the_chunk_and_keeps_what_was_answered(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(
        {
            "kind": "status",
            "status": 429,
            "code": "insufficient_quota",
            "match": {**CALLS, "text": "Q4?"},
        }
    )
    world = World(simulator, lane="direct", concurrency=1)
    world.create(requests(6))
    world.run()
    assert world.batch.status.value == "completed"
    results = world.check_promises(requests(6))
    assert len(results.output) == 3
    assert set(results.error_codes) == {"insufficient_quota"}


def test_a_missing_key_fails_the_batch_and_says_which(simulator: SimulatorClient) -> None:
    world = World(simulator, lane="direct")

    def nobody(_: Deployment) -> DirectProvider:
        raise CredentialMissing("The secret has no key named OPENAI_API_KEY.")

    world.direct_of = nobody
    world.create(requests(3))
    assert world.run().state == "BatchFailed"
    assert [error.code for error in world.batch.errors] == ["credential_missing"]
    assert simulator.calls() == []


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
        while the_chunk(world).completed < 2:
            threading.Event().wait(0.01)
        assert not worker.done()
        assert the_chunk(world).lease_until > world.now
        simulator.release()
        assert worker.result()["next"] == "done"


def test_outcomes_that_a_dead_worker_wrote_are_found(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(3))
    row = to_row(Outcome(2, Kind.FAILED, error={"code": "c", "message": "m"}))
    world.stores.objects.put(f"work/{BATCH_ID}/chunks/000001/run-orphan.jsonl", row)
    run(world)
    chunk = the_chunk(world)
    assert (chunk.completed, chunk.failed) == (2, 1)
    assert chat_calls(world) == 2


def test_many_runs_become_one(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, soon: None
) -> None:
    monkeypatch.setattr(chunk_runs, "_MOST_RUNS", 3)
    world = planned(simulator, requests(40), concurrency=2)
    run(world)
    chunk = the_chunk(world)
    assert len(chunk.runs) <= 3
    prefix = f"work/{BATCH_ID}/chunks/000001/run-"
    assert [each.key for each in world.stores.objects.segments(prefix)] == sorted(
        each.key for each in chunk.runs
    )
    world.step("FinalizeBatch")
    assert len(world.check_promises(requests(40)).output) == 40


def test_an_answer_that_is_big_is_saved_at_once(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_calls, "_MOST_UNSAVED_BYTES", 1)
    monkeypatch.setattr(run_chunk, "SAVE_SECONDS", 60)
    first = {"kind": "slow", "seconds": 0, "match": {**CALLS, "text": "Q1?"}}
    simulator.behave(first, HOLD)
    world = planned(simulator, requests(20), concurrency=10)
    with running(world) as worker:
        while the_chunk(world).completed < 1:
            threading.Event().wait(0.01)
        simulator.behave()
        simulator.release()
        assert worker.result()["next"] == "done"
    assert the_chunk(world).completed == 20


# ---- Leases


def test_a_chunk_that_somebody_works_on_is_left_to_him(simulator: SimulatorClient) -> None:
    world = planned(simulator, requests(3))
    world.stores.parts.chunks.take_lease(BATCH_ID, 1, world.now, 30)
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
        while the_chunk(world).completed < 3:
            threading.Event().wait(0.01)
        world.stores.parts.chunks.release(the_chunk(world))
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
        while the_chunk(world).completed < 4:
            threading.Event().wait(0.01)
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
        while the_chunk(world).completed < 4:
            threading.Event().wait(0.01)
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


# ---- The input file


def test_a_file_that_was_joined_meanwhile_is_read_from_its_new_object(
    simulator: SimulatorClient,
) -> None:
    world = planned(simulator, requests(3))
    content = world.stores.objects.get("files/alice/file-in")
    file = world.stores.files.get("alice", "file-in", world.now)
    moved = [world.stores.objects.put("files/alice/joined", content)]
    world.stores.objects.delete(["files/alice/file-in"])
    with pytest.raises(StorageUnavailable):
        world.step("RunChunk", 1)
    world.stores.files.replace(file.model_copy(update={"segments": moved}))
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 3


def test_a_file_in_many_pieces_is_read_across_them(simulator: SimulatorClient) -> None:
    content = as_jsonl(requests(6))
    world = World(simulator, lane="direct", chunk_lines=2)
    pieces = [content[start : start + 100] for start in range(0, len(content), 100)]
    segments = [
        world.stores.objects.put(f"uploads/alice/{place}", piece)
        for place, piece in enumerate(pieces)
    ]
    world.create(requests(6))
    world.stores.files.replace(input_file(*segments))
    world.run()
    assert len(world.check_promises(requests(6)).output) == 6


def test_an_input_file_that_was_deleted_stops_the_chunk_and_is_named(
    simulator: SimulatorClient,
) -> None:
    world = planned(simulator, requests(3))
    world.stores.files.delete("alice", "file-in")
    assert run(world) == ("done", 0)
    (error,) = the_chunk(world).errors
    assert "file-in" in error.message


# ---- Hand-over


def answered(world: World, numbers: list[int]) -> Segment:
    """What a synchronous request has got answers to."""
    rows = [
        to_row(Outcome(number, Kind.ANSWERED, response={"status_code": 200, "body": {"n": number}}))
        for number in numbers
    ]
    return world.stores.objects.put(answered_key(BATCH_ID), b"".join(rows))


def handed_over(simulator: SimulatorClient, numbers: list[int], **more: Any) -> World:
    world = World(simulator, **more)
    world.create(requests(6), lane="direct", answered=answered(world, numbers))
    return world


def test_lines_that_were_answered_before_are_never_called_again(simulator: SimulatorClient) -> None:
    world = handed_over(simulator, [1, 4, 5], chunk_lines=2)
    world.run()
    assert world.batch.status.value == "completed"
    output = world.results().output
    assert [line["custom_id"] for line in output] == [f"line-{n}" for n in range(1, 7)]
    assert output[3]["response"]["body"] == {"n": 4}
    assert chat_calls(world) == 3


def test_what_was_answered_before_counts_from_the_beginning(simulator: SimulatorClient) -> None:
    world = handed_over(simulator, [1, 4, 5], chunk_lines=2)
    world.step("PlanBatch")
    assert [chunk.completed for chunk in world.chunks] == [1, 1, 1]
    world.step("PlanBatch")
    assert [chunk.completed for chunk in world.chunks] == [1, 1, 1]


def test_what_was_answered_before_is_delivered_of_a_batch_that_is_cancelled_at_once(
    simulator: SimulatorClient,
) -> None:
    world = handed_over(simulator, [2, 6], chunk_lines=4)
    world.cancel_at = "RunParts"
    world.run()
    assert world.batch.status.value == "cancelled"
    results = world.results()
    assert [line["custom_id"] for line in results.output] == ["line-2", "line-6"]
    assert results.error_codes == ["batch_cancelled"] * 4
    assert simulator.calls() == []


def test_a_batch_whose_lines_were_all_answered_calls_nobody(simulator: SimulatorClient) -> None:
    world = handed_over(simulator, [1, 2, 3, 4, 5, 6])
    world.run()
    assert world.batch.counts.completed == 6
    assert simulator.calls() == []


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
        self._runs = 0

    def put_object(self, *, Key: str, **given: Any) -> None:  # noqa: N803 - boto3's name
        super().put_object(Key=Key, **given)
        if "/run-" in Key:
            self._runs += 1
            if self._runs in self._failing:
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
