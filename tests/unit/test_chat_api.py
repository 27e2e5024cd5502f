"""`POST /chat/completions` and `POST /embeddings`, through their functions."""

from __future__ import annotations

from typing import Any

import pytest

from local.simulator.client import SimulatorClient
from tests.unit.calling import (
    EMBEDDER,
    FAST,
    KEY,
    OTHER,
    SHORT,
    SLOW,
    Json,
    configure,
    events,
    post,
    said,
    text_of,
    upstream,
)

CHAT = "/chat/completions"


@pytest.fixture(autouse=True)
def _models(aws: None, simulator: SimulatorClient) -> None:
    configure(simulator)


def chat(model: Any = FAST, text: str = "Hello!", **more: Any) -> Json:
    return {"model": model, "messages": said(text), **more}


# ---- one model


def test_one_model_answers_under_its_public_name(simulator: SimulatorClient) -> None:
    answer = post(CHAT, chat(temperature=0.5))

    assert (answer.status, answer.json["model"]) == (200, FAST)
    assert answer.json["object"] == "chat.completion"
    assert answer.json["choices"][0]["message"]["content"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    (call,) = simulator.calls(path=CHAT)
    assert call["model"] == upstream(FAST)


def test_a_stream_is_chunks_and_done() -> None:
    answer = post(CHAT, chat(stream=True))

    *chunks, done = events(answer)
    assert answer.status == 200
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["model"] for chunk in chunks} == {FAST}
    assert text_of(chunks) == post(CHAT, chat()).json["choices"][0]["message"]["content"]


def test_a_stream_tells_its_usage_where_that_is_asked() -> None:
    asked = chat(stream=True, stream_options={"include_usage": True})

    *_, last, done = events(post(CHAT, asked))

    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0


def test_what_fails_before_the_first_chunk_is_a_status() -> None:
    answer = post(CHAT, chat(text="[[fail:400]]", stream=True))

    assert answer.status == 400
    assert answer.error["nightmail"] == {"provider": "openai", "status": 400}


def test_an_error_in_mid_stream_is_its_last_event(simulator: SimulatorClient) -> None:
    simulator.behave(
        {"kind": "latency", "token": 0.005}, {"kind": "broken_stream", "when": "last_token"}
    )

    *chunks, last = events(post(CHAT, chat(text="[[long:30]]", stream=True)))

    assert text_of(chunks)
    assert set(last) == {"error"}
    assert last["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_takes_too_long_is_a_504_that_names_the_ways_out(
    simulator: SimulatorClient, *, stream: bool
) -> None:
    simulator.behave({"kind": "hold"})

    answer = post(CHAT, chat(stream=stream), remaining_milliseconds=SHORT)

    assert answer.status == 504
    assert ("'stream'" in answer.error["message"]) is not stream
    assert "/batches" in answer.error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert len(simulator.until_calls("disconnected")) == 1


def test_a_stream_that_takes_too_long_ends_with_an_error_event(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold", "when": "last_token"})

    answer = post(CHAT, chat(text="[[long:30]]", stream=True), remaining_milliseconds=SHORT)

    *chunks, last = events(answer)
    assert text_of(chunks)
    assert last["error"]["code"] == "provider_timed_out"
    assert "/batches" in last["error"]["message"]
    assert len(simulator.until_calls("disconnected")) == 1


def test_a_provider_that_throttles_tells_when_to_come_back(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "status", "status": 429, "retry_after": 7})

    answer = post(CHAT, chat())

    assert answer.status == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.error["type"] == answer.error["code"] == "rate_limit_exceeded"


def test_no_key_is_told(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "refused_key"})

    answer = post(CHAT, chat())

    assert answer.status == 502
    assert answer.headers["x-should-retry"] == "false"  # it will not heal by being asked again
    assert KEY not in answer.content.decode()
    assert simulator.url not in answer.content.decode()


# ---- several models


@pytest.mark.parametrize("models", [f"{SLOW}, {FAST}", [SLOW, FAST], f"{FAST},{SLOW},"])
@pytest.mark.parametrize("by_header", [False, True])
def test_a_race_returns_while_the_loser_is_still_held(
    simulator: SimulatorClient, models: Any, *, by_header: bool
) -> None:
    simulator.behave({"kind": "hold", "name": "loser", "match": {"model": upstream(SLOW)}})
    wish: Json = {} if by_header else {"fastest_response": True}
    header = {"x-litellm-fastest_response_batch_completion": "true"} if by_header else {}

    answer = post(CHAT, chat(models, **wish), headers=header)

    assert (answer.status, answer.json["model"]) == (200, FAST)
    assert answer.headers["x-nightmail-winner"] == FAST
    assert answer.headers["x-litellm-fastest_response_batch_completion"] == "True"
    (loser,) = simulator.until_calls("disconnected")
    assert loser["model"] == upstream(SLOW)


def test_a_race_of_streams_carries_the_winner_only(simulator: SimulatorClient) -> None:
    hold = {"kind": "hold", "when": "first_token", "match": {"model": upstream(SLOW)}}
    simulator.behave(hold)

    answer = post(CHAT, chat([SLOW, FAST], fastest_response=True, stream=True))

    *chunks, done = events(answer)
    assert done == "[DONE]"
    assert {chunk["model"] for chunk in chunks} == {FAST}
    assert answer.headers["x-nightmail-winner"] == FAST
    (loser,) = simulator.until_calls("disconnected")
    assert loser["model"] == upstream(SLOW)


def test_without_a_wish_for_the_fastest_all_answer_as_an_array(simulator: SimulatorClient) -> None:
    answer = post(CHAT, chat(f"{SLOW}, nobody-knows, {FAST}"))

    first, second, third = answer.json
    assert (answer.status, first["model"], third["model"]) == (200, SLOW, FAST)
    assert second["model"] == "nobody-knows"
    assert second["error"]["code"] == "model_not_found"
    assert "x-nightmail-winner" not in answer.headers


def test_many_prompts_for_many_models_are_lists_of_lists() -> None:
    body = {"model": [FAST, OTHER], "messages": [said("One?"), said("Two?"), said("Three?")]}

    answer = post(CHAT, body)

    assert [[each["model"] for each in row] for row in answer.json] == [[FAST, OTHER]] * 3


def test_all_answers_as_a_stream_interleave_and_end_once() -> None:
    answer = post(CHAT, chat([FAST, OTHER], stream=True))

    *chunks, done = events(answer)
    assert done == "[DONE]"
    places = {(chunk["model"], chunk["nightmail"]["index"]) for chunk in chunks}
    assert places == {(FAST, 0), (OTHER, 1)}
    ids = {(chunk["model"], chunk["id"]) for chunk in chunks}
    assert len(ids) == 2


# ---- what is wrong with a request


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (chat("nobody-knows"), 404, "model"),
        (chat(api_base="http://127.0.0.1"), 400, "api_base"),
        (chat(api_key="sk-mine"), 400, "api_key"),
        (chat(""), 400, "model"),
        (chat(","), 400, "model"),
        (chat([]), 400, "model"),
        ({"messages": said("Hi")}, 400, "model"),
        ({"model": FAST}, 400, "messages"),
        ({"model": FAST, "messages": []}, 400, "messages"),
        ({"model": FAST, "messages": "Hi"}, 400, "messages"),
        ({"model": FAST, "messages": [said("Hi"), []]}, 400, "messages[1]"),
        (b"[]", 400, None),
        (b"not JSON", 400, None),
    ],
)
def test_a_bad_request_is_refused_by_name_and_nobody_is_called(
    simulator: SimulatorClient, body: Any, status: int, param: str | None
) -> None:
    answer = post(CHAT, body)

    assert (answer.status, answer.error["param"]) == (status, param)
    assert answer.error["message"]
    assert simulator.calls() == []


def test_a_body_over_the_limit_is_a_413_that_names_the_batch_api(
    simulator: SimulatorClient,
) -> None:
    answer = post(CHAT, chat(text="x" * 4_200_000))

    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "/batches" in answer.error["message"]
    assert simulator.calls() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 200, "body": "{not JSON", "media_type": "application/json"},
        {"kind": "status", "status": 200},
        {"kind": "status", "status": 502, "body": "<html>http://10.0.0.1</html>"},
        {"kind": "drop", "when": "during"},
    ],
    ids=["no JSON", "an error in a 200", "a proxy's page", "half an answer"],
)
def test_a_broken_answer_is_an_error_of_its_model_without_internals(
    simulator: SimulatorClient, fault: Json
) -> None:
    simulator.behave({**fault, "match": {"model": upstream(SLOW)}})

    good, bad = post(CHAT, chat([FAST, SLOW])).json

    assert good["choices"]
    assert bad["model"] == SLOW
    assert bad["error"]["nightmail"]["provider"] == "openai"
    for secret in (KEY, simulator.url, "10.0.0.1", "Traceback"):
        assert secret not in str(bad)


# ---- embeddings


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
def test_embeddings_are_vectors_in_the_order_of_the_texts(encoding: Json) -> None:
    answer = post("/embeddings", {"model": EMBEDDER, "input": ["one", "two"], **encoding})

    assert (answer.status, answer.json["model"]) == (200, EMBEDDER)
    assert [each["index"] for each in answer.json["data"]] == [0, 1]
    assert all(isinstance(each["embedding"][0], float) for each in answer.json["data"])


def test_embeddings_may_be_base64() -> None:
    body = {"model": EMBEDDER, "input": "one", "encoding_format": "base64"}

    (vector,) = post("/embeddings", body).json["data"]

    assert isinstance(vector["embedding"], str)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": EMBEDDER}, 400, "input"),
        ({"model": EMBEDDER, "input": []}, 400, "input"),
        ({"input": "one"}, 400, "model"),
        ({"model": "nobody-knows", "input": "one"}, 404, "model"),
        ({"model": EMBEDDER, "input": "one", "base_url": "http://127.0.0.1"}, 400, "base_url"),
    ],
)
def test_a_bad_request_for_embeddings_is_refused_by_name(
    body: Json, status: int, param: str
) -> None:
    answer = post("/embeddings", body)

    assert (answer.status, answer.error["param"]) == (status, param)
