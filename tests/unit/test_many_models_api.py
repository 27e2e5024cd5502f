"""`POST /batch_completion_models` and `..._all_responses`, through their functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.simulator.client import SimulatorClient
from tests.unit.calling import (
    FAST,
    OTHER,
    SHORT,
    SLOW,
    Json,
    configure,
    events,
    post,
    said,
    upstream,
)

RACE = "/batch_completion_models"
ALL = "/batch_completion_models_all_responses"


@pytest.fixture(autouse=True)
def _models(aws: None, simulator: SimulatorClient) -> None:
    configure(simulator)


def to(*models: str, **more: Any) -> Json:
    return {"models": list(models), "messages": said("Who is there?"), **more}


def fail(simulator: SimulatorClient, **statuses: int) -> None:
    simulator.behave(
        *(
            {"kind": "status", "status": status, "match": {"model": upstream(name)}}
            for name, status in statuses.items()
        )
    )


@pytest.mark.parametrize("models", [(SLOW, FAST, OTHER), (OTHER, SLOW, FAST), (FAST, OTHER, SLOW)])
def test_the_report_tells_of_each_model_in_the_order_of_the_request(
    simulator: SimulatorClient, models: tuple[str, ...]
) -> None:
    simulator.behave(
        {"kind": "hold", "match": {"model": upstream(SLOW)}},
        {"kind": "status", "status": 400, "match": {"model": upstream(OTHER)}},
        {"kind": "slow", "seconds": 0.3, "match": {"model": upstream(FAST)}},
    )

    answer = post(RACE, to(*models))

    report = json.loads(answer.headers["x-nightmail-race"])
    assert [line["model"] for line in report] == list(models)
    outcomes = {line["model"]: line["outcome"] for line in report}
    assert outcomes == {FAST: "won", SLOW: "cancelled", OTHER: "failed"}
    assert {line.get("status") for line in report} == {None, 400}
    assert all(line["milliseconds"] >= 0 for line in report)
    assert answer.json["model"] == FAST
    assert len(simulator.until_calls("disconnected")) == 1


def test_a_stream_of_a_race_has_its_headers_too() -> None:
    answer = post(RACE, to(FAST, stream=True))

    assert events(answer)[-1] == "[DONE]"
    assert json.loads(answer.headers["x-nightmail-race"])[0]["outcome"] == "won"


def test_an_unknown_model_is_a_runner_that_failed() -> None:
    answer = post(RACE, to("nobody-knows", FAST))

    report = json.loads(answer.headers["x-nightmail-race"])
    assert (answer.status, answer.json["model"]) == (200, FAST)
    assert (report[0]["outcome"], report[0]["status"]) == ("failed", 404)


@pytest.mark.parametrize("stream", [False, True])
def test_where_all_fail_one_error_tells_of_each(
    simulator: SimulatorClient, *, stream: bool
) -> None:
    fail(simulator, fast=500, slow=400)

    answer = post(RACE, to(FAST, SLOW, stream=stream))

    assert answer.status == 502
    assert answer.error["code"] == "all_models_failed"
    told = [(each["model"], each["status"]) for each in answer.error["models"]]
    assert told == [(FAST, 502), (SLOW, 400)]
    assert all(each["message"] for each in answer.error["models"])


def test_where_all_are_throttled_the_least_wait_is_told(simulator: SimulatorClient) -> None:
    simulator.behave(
        {"kind": "status", "status": 429, "retry_after": 9, "match": {"model": upstream(FAST)}},
        {"kind": "status", "status": 429, "retry_after": 4, "match": {"model": upstream(SLOW)}},
    )

    answer = post(RACE, to(FAST, SLOW))

    assert (answer.status, answer.headers["retry-after"]) == (429, "4")


def test_a_race_that_nobody_ends_in_time_is_a_504(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold"})

    answer = post(RACE, to(FAST, SLOW), remaining_milliseconds=SHORT)

    assert answer.status == 504
    assert len(simulator.until_calls("disconnected", 2)) == 2


def test_the_second_model_is_asked_only_when_the_first_is_late(simulator: SimulatorClient) -> None:
    answer = post(RACE, to(FAST, SLOW, hedge_after_ms=60_000))

    assert answer.json["model"] == FAST
    assert [call["model"] for call in simulator.calls()] == [upstream(FAST)]


def test_all_answers_come_in_the_order_of_the_models(simulator: SimulatorClient) -> None:
    fail(simulator, other=400)

    answer = post(ALL, to(SLOW, OTHER, "nobody-knows", FAST, FAST))

    data = answer.json["data"]
    assert (answer.status, answer.json["object"]) == (200, "list")
    assert [each["model"] for each in data] == [SLOW, OTHER, "nobody-knows", FAST, FAST]
    assert ["error" in each for each in data] == [False, True, True, False, False]
    assert answer.json["usage"]["total_tokens"] == sum(
        each["usage"]["total_tokens"] for each in data if "usage" in each
    )


def test_one_that_is_late_hides_no_other(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold", "match": {"model": upstream(SLOW)}})

    answer = post(ALL, to(SLOW, FAST), remaining_milliseconds=SHORT)

    late, good = answer.json["data"]
    assert answer.status == 200
    assert (late["model"], late["error"]["code"]) == (SLOW, "provider_timed_out")
    assert good["choices"]


def test_a_stream_of_all_answers_ends_once() -> None:
    *chunks, done = events(post(ALL, to(FAST, OTHER, stream=True)))

    assert done == "[DONE]"
    assert {chunk["model"] for chunk in chunks} == {FAST, OTHER}


@pytest.mark.parametrize("route", [RACE, ALL])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        (to(), "models"),
        (to("", " "), "models"),
        ({"messages": said("Hi")}, "models"),
        ({"models": 7, "messages": said("Hi")}, "models"),
        ({"models": [FAST, 7], "messages": said("Hi")}, "models[1]"),
        ({"models": [FAST]}, "messages"),
        ({"models": [FAST], "messages": [said("Hi")]}, "messages"),
        (to(FAST, api_key="sk-mine"), "api_key"),
    ],
)
def test_a_bad_request_is_refused_by_name_and_nobody_is_called(
    simulator: SimulatorClient, route: str, body: Json, param: str
) -> None:
    answer = post(route, body)

    assert (answer.status, answer.error["param"]) == (400, param)
    assert simulator.calls() == []
