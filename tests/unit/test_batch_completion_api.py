"""`POST /batch_completion`, through its function: many prompts, answered at once or as a batch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail import wiring
from nightmail.batch import Batch
from nightmail.lines import Line, read_line
from nightmail.outcome import Kind, kind_of, number_of

from local.simulator.client import SimulatorClient
from tests.unit.calling import (
    FAST,
    LATER,
    SHORT,
    Json,
    configure,
    events,
    post,
    said,
    upstream,
)
from tests.unit.gateway import Answer

ROUTE = "/batch_completion"
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _models(aws: None, simulator: SimulatorClient) -> None:
    configure(simulator)


def many(*texts: str, model: str = FAST, **more: Any) -> Json:
    return {"model": model, "messages": [said(text) for text in texts], **more}


def batch_of(answer: Answer) -> Batch:
    """The batch that an answer with 202 tells of, as it is stored."""
    assert answer.status == 202, answer.content
    assert answer.json["object"] == "batch"
    assert answer.headers["location"] == f"/v1/batches/{answer.json['id']}"
    return wiring.batches().get("admin", answer.json["id"])


def lines_of(batch: Batch) -> list[Line]:
    """The requests of its input file, each as good as a batch wants it."""
    file = wiring.files().get("admin", batch.input_file_id, wiring.now())
    content = b"".join(wiring.objects().chunks(file.segments))
    assert (file.bytes, file.purpose) == (len(content), "batch")
    lines = [
        read_line(line, number, CHAT) for number, line in enumerate(content.splitlines(), start=1)
    ]
    assert all(isinstance(line, Line) for line in lines), lines
    return [line for line in lines if isinstance(line, Line)]


def rows_of(batch: Batch) -> list[bytes]:
    """The outcomes that it begins with."""
    assert batch.answered
    return wiring.objects().get(batch.answered.key).splitlines(keepends=True)


# ---- answered at once


def test_answers_come_in_the_order_of_the_prompts(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "slow", "seconds": 0.2, "match": {"text": "One?"}})

    answer = post(ROUTE, many("One?", "Two?", "Three?"))

    data = answer.json["data"]
    assert (answer.status, answer.json["object"]) == (200, "list")
    assert [each["custom_id"] for each in data] == ["request-1", "request-2", "request-3"]
    assert {each["model"] for each in data} == {FAST}
    total = sum(each["usage"]["total_tokens"] for each in data)
    assert answer.json["usage"]["total_tokens"] == total > 0


def test_a_prompt_may_have_an_id_and_parameters_of_its_own(simulator: SimulatorClient) -> None:
    own = {"messages": said("Two?"), "custom_id": "second", "temperature": 0}

    answer = post(ROUTE, {"model": FAST, "messages": [said("One?"), own], "temperature": 1})

    assert [each["custom_id"] for each in answer.json["data"]] == ["request-1", "second"]
    assert answer.status == 200


def test_one_that_failed_is_an_error_in_its_place_and_hides_no_other() -> None:
    answer = post(ROUTE, many("One?", "[[fail:400]]", "Three?"))

    first, second, third = answer.json["data"]
    assert first["choices"]
    assert third["choices"]
    assert second["custom_id"] == "request-2"
    assert set(second["error"]) >= {"message", "type", "param", "code"}


def test_a_stream_has_one_event_for_each_as_it_finished(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "slow", "seconds": 0.3, "match": {"text": "One?"}})

    *items, done = events(post(ROUTE, many("One?", "Two?", stream=True)))

    assert done == "[DONE]"
    assert [(item["index"], item["custom_id"]) for item in items] == [
        (1, "request-2"),
        (0, "request-1"),
    ]


def test_no_more_calls_than_asked_are_in_flight(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "crowded", "most": 2})

    answer = post(ROUTE, many(*map(str, range(12)), max_concurrency=2))

    assert all("error" not in each for each in answer.json["data"])


def test_errors_that_waiting_may_heal_are_told_where_there_was_time() -> None:
    """Only what the time cut off becomes a batch."""
    answer = post(ROUTE, many("One?", "[[fail:500]]"))

    assert answer.status == 200
    assert answer.json["data"][1]["error"]["nightmail"]["status"] == 500


# ---- as a batch from the beginning


@pytest.mark.parametrize(
    ("model", "headers"),
    [(FAST, {"Prefer": "respond-async"}), (LATER, {}), (LATER, {"Prefer": "wait=20"})],
)
def test_a_batch_is_answered_where_the_request_or_the_config_says_so(
    simulator: SimulatorClient, model: str, headers: dict[str, str]
) -> None:
    answer = post(ROUTE, many("One?", "Two?", model=model, temperature=0), headers=headers)

    batch = batch_of(answer)
    assert answer.headers["preference-applied"] == "respond-async"
    assert (batch.lane, batch.answered, batch.endpoint) == (None, None, CHAT)
    lines = lines_of(batch)
    assert [line.custom_id for line in lines] == ["request-1", "request-2"]
    assert lines[0].body == {"model": model, "messages": said("One?"), "temperature": 0}
    assert simulator.calls() == []


def test_the_input_file_is_its_owners() -> None:
    batch = batch_of(post(ROUTE, many("One?"), headers={"Prefer": "respond-async"}))

    file = wiring.files().get("admin", batch.input_file_id, wiring.now())
    assert file.expires_at == batch.created_at + 30 * 24 * 3600
    assert file.filename.endswith(".jsonl")


def test_one_idempotency_key_makes_one_batch(simulator: SimulatorClient) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "order-7"}

    first, again = (post(ROUTE, many("One?"), headers=headers) for _ in range(2))
    other = post(ROUTE, many("Two?"), headers=headers)

    assert batch_of(first).id == batch_of(again).id
    assert other.status == 409
    assert len(list(wiring.files().list("admin", wiring.now()))) == 1


# ---- what is not done in time


def test_what_is_not_done_in_time_goes_on_as_a_batch_of_all_prompts(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "hold", "match": {"text": "Late?"}})

    answer = post(
        ROUTE,
        many("One?", "Late?", "[[fail:400]]", "[[fail:500]]"),
        remaining_milliseconds=SHORT + 4500,
    )

    batch = batch_of(answer)
    assert "preference-applied" not in answer.headers
    assert (batch.lane, batch.status.value) == ("direct", "validating")
    assert [line.number for line in lines_of(batch)] == [1, 2, 3, 4]
    rows = [(number_of(row), kind_of(row)) for row in rows_of(batch)]
    assert rows == [(1, Kind.ANSWERED), (3, Kind.REFUSED)]
    (late,) = simulator.until_calls("disconnected")
    assert late["model"] == upstream(FAST)


def test_an_answer_is_handed_over_as_the_batch_would_have_it(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold", "match": {"text": "Late?"}})

    batch = batch_of(post(ROUTE, many("One?", "Late?"), headers={"Prefer": "wait=4"}))

    (row,) = rows_of(batch)
    tail = json.loads(row[15:])
    body = tail["response"]["body"]
    assert (tail["error"], tail["response"]["status_code"]) == (None, 200)
    assert tail["response"]["request_id"]
    assert body["model"] == FAST
    assert "custom_id" not in body
    assert "nightmail" not in body
    assert (tail["nightmail"]["provider"], tail["nightmail"]["lane"]) == ("openai", "direct")


def test_nobody_is_asked_where_nobody_waits(simulator: SimulatorClient) -> None:
    batch = batch_of(post(ROUTE, many("One?"), headers={"Prefer": "wait=0"}))

    assert (batch.lane, batch.answered) == ("direct", None)
    assert simulator.calls() == []


def test_a_caller_that_would_wait_a_little_gets_the_answers_if_they_come_in_time() -> None:
    answer = post(ROUTE, many("One?"), headers={"Prefer": "respond-async, wait=20"})

    assert (answer.status, len(answer.json["data"])) == (200, 1)


def test_a_caller_that_would_wait_a_little_gets_a_batch_if_they_do_not(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "hold"})

    answer = post(ROUTE, many("One?"), headers={"Prefer": "respond-async, wait=1"})

    assert batch_of(answer).lane == "direct"
    assert answer.headers["preference-applied"] == "respond-async"


def test_nothing_is_begun_when_the_time_is_nearly_over(simulator: SimulatorClient) -> None:
    """The first of two that go one after another takes all the time but the last fifth."""
    simulator.behave({"kind": "slow", "seconds": 1.8, "match": {"text": "One?"}})

    answer = post(ROUTE, many("One?", "Two?", max_concurrency=1), headers={"Prefer": "wait=2"})

    batch = batch_of(answer)
    assert [number_of(row) for row in rows_of(batch)] == [1]
    assert len(simulator.calls()) == 1


def test_a_stream_that_is_not_done_in_time_goes_on_as_a_batch_too(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "hold"})

    answer = post(ROUTE, many("One?", stream=True), remaining_milliseconds=SHORT + 1000)

    assert batch_of(answer).lane == "direct"


def test_an_idempotency_key_finds_the_batch_that_a_request_became(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "hold"})
    headers = {"Prefer": "wait=1", "Idempotency-Key": "order-7"}

    first = batch_of(post(ROUTE, many("One?"), headers=headers))
    again = batch_of(post(ROUTE, many("One?"), headers=headers))

    assert again.id == first.id
    assert len(simulator.calls()) == 1


# ---- what is wrong with a request


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": FAST, "messages": said("Flat?")}, 400, "messages"),
        ({"model": FAST, "messages": []}, 400, "messages"),
        ({"model": FAST, "messages": [[]]}, 400, "messages[0]"),
        ({"model": FAST, "messages": "Hi"}, 400, "messages"),
        ({"model": FAST, "messages": [said("Hi"), "Hi"]}, 400, "messages[1]"),
        ({"model": FAST}, 400, "messages"),
        ({"messages": [said("Hi")]}, 400, "model"),
        (many("Hi", model="nobody-knows"), 404, "model"),
        (many("Hi", api_base="http://127.0.0.1"), 400, "api_base"),
        (many("Hi", max_concurrency=0), 400, "max_concurrency"),
    ],
)
def test_a_bad_request_is_refused_by_name_and_nobody_is_called(
    simulator: SimulatorClient, body: Json, status: int, param: str
) -> None:
    for headers in ({}, {"Prefer": "respond-async"}):
        answer = post(ROUTE, body, headers=headers)

        assert (answer.status, answer.error["param"]) == (status, param)
    assert simulator.calls() == []
    assert list(wiring.files().list("admin", wiring.now())) == []


def test_an_idempotency_key_that_is_too_long_is_refused() -> None:
    answer = post(ROUTE, many("One?"), headers={"Idempotency-Key": "k" * 256})

    assert (answer.status, answer.error["param"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize("limit", [("MAX_BATCH_LINES", "1"), ("MAX_BATCH_BYTES", "150")])
def test_more_than_a_batch_takes_is_a_413_before_anybody_is_called(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, str]
) -> None:
    monkeypatch.setenv(*limit)

    answer = post(ROUTE, many("One?", "Two?"))

    assert (answer.status, answer.error["param"]) == (413, "messages")
    assert "batch" in answer.error["message"]
    assert simulator.calls() == []
