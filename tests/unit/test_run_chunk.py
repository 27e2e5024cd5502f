"""RunChunk: every line is called once, whatever its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.chunk import ChunkState
from nightmail.deployment import Deployment
from nightmail.engine.tries import DEFAULT_RETRIES
from nightmail.errors import CredentialMissing, StorageUnavailable
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import Ending
from nightmail.providers.direct import DirectProvider, HttpAnswer
from nightmail.providers.openai_protocol.direct import OpenAIDirect
from nightmail.providers.openai_protocol.servers import Server
from nightmail.steps.waits import PATIENCE
from nightmail.work_keys import answered_key

from local.simulator.client import SimulatorClient
from tests.unit.chunk_work import (
    CALLS,
    chat_calls,
    planned,
    run,
    the_chunk,
)
from tests.unit.samples import BATCH_ID
from tests.unit.world import KEY, MODEL, World, as_jsonl, input_file, request, requests

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


@pytest.mark.of("anthropic")
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


@pytest.mark.of("anthropic")
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


SERVER = Server("https://api.openai.com/v1", is_exact=True)


class Unwritable(OpenAIDirect):
    """One answer has a number that no JSON of ours can hold."""

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> dict[str, Any]:
        read = super().answer(endpoint, body, answer)
        is_meant = "Q2?" in str(body["messages"])
        return {**read, "created": 10**30} if is_meant else read


def test_an_answer_that_cannot_be_written_is_an_error_of_its_line_and_is_not_paid_again(
    simulator: SimulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    world = planned(simulator, requests(3))
    world.direct_of = lambda deployment: Unwritable(deployment, SERVER, KEY)
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    results = world.results()
    assert [line["custom_id"] for line in results.output] == ["line-1", "line-3"]
    assert results.error_codes == ["internal_error"]
    assert chat_calls(world) == 3
    assert "line 2 cannot be written" in caplog.text


def test_a_line_that_says_where_keys_go_is_never_sent(simulator: SimulatorClient) -> None:
    line = request(2)
    line["body"]["api_key"] = "sk-mine"
    world = World(simulator, lane="direct")
    world.create([request(1), line])
    world.run()
    (error,) = world.batch.errors
    assert (error.code, error.param, error.line) == ("unsupported_parameter", "body.api_key", 2)
    assert simulator.calls() == []


# ---- What may heal


def test_a_line_that_fails_for_the_moment_is_tried_in_later_rounds(
    simulator: SimulatorClient,
) -> None:
    times, match = 2 * (1 + DEFAULT_RETRIES), {**CALLS, "text": "Q2?"}
    simulator.behave({"kind": "status", "status": 503, "times": times, "match": match})
    world = planned(simulator, requests(3))
    assert run(world) == ("run", 5)
    chunk = the_chunk(world)
    assert (chunk.completed, chunk.failed, chunk.rounds) == (2, 0, 1)
    assert "503" in (chunk.last_refusal or "")
    assert run(world) == ("run", 10)
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 3
    assert the_chunk(world).last_refusal is None
    assert set(simulator.paid().values()) == {1}


def test_a_line_is_tried_as_often_as_the_config_says(simulator: SimulatorClient) -> None:
    world = World(simulator, lane="direct", limits={"num_retries": 0})
    lines = [request(1), request(2, "[[fail:500]]")]
    world.create(lines)
    world.run()
    assert world.batch.status.value == "completed"
    (failed,) = world.check_promises(lines).errors
    assert failed["response"]["status_code"] == 500
    assert chat_calls(world) == 2


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
    busy = {"kind": "status", "status": 429, "retry_after": 700, "match": CALLS}
    simulator.behave(busy)
    world = planned(simulator, requests(20), concurrency=2)
    assert run(world) == ("run", 700)
    assert chat_calls(world) <= 4


def test_a_chunk_looks_again_after_a_quarter_of_an_hour_however_long_it_is_to_wait(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "status", "status": 429, "retry_after": 1800, "match": CALLS})
    assert run(planned(simulator, requests(1))) == ("run", 900)


def test_a_provider_out_of_reach_fails_the_lines_after_patience(simulator: SimulatorClient) -> None:
    world = World(
        simulator, lane="direct", api_base="http://127.0.0.1:9", limits={"num_retries": 0}
    )
    world.create(requests(2))
    world.run()
    assert world.batch.status.value == "completed"
    assert world.check_promises(requests(2)).error_codes == ["provider_unavailable"] * 2


# ---- Refusals of all


@pytest.mark.parametrize(("status", "most_calls"), [(401, 4), (402, 4), (403, 8)])
def test_a_refused_key_stops_the_chunk_with_its_reason(
    simulator: SimulatorClient, status: int, most_calls: int
) -> None:
    simulator.behave({"kind": "status", "status": status, "message": "No.", "match": CALLS})
    world = World(simulator, lane="direct", concurrency=2)
    world.create(requests(20))
    assert world.run().state == "BatchFailed"
    (chunk,) = world.chunks
    assert chunk.state is ChunkState.STOPPED
    assert chat_calls(world) <= most_calls
    assert [error.message for error in world.batch.errors] == [f"openai answered {status}: No."]
    assert len(world.check_promises(requests(20)).errors) == 20


def test_a_request_that_is_forbidden_leaves_its_neighbours_alone(
    simulator: SimulatorClient,
) -> None:
    """A provider's moderation answers 403 too."""
    forbidden = {"kind": "status", "status": 403, "match": {**CALLS, "text": "Q1?"}}
    simulator.behave(forbidden)
    world = World(simulator, lane="direct", concurrency=4)
    world.create(requests(9))
    world.run()
    results = world.check_promises(requests(9))
    assert (len(results.output), len(results.errors)) == (8, 1)
    assert results.errors[0]["response"]["status_code"] == 403


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
