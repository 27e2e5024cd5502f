"""What is wrong with a request that calls models is told by name and shape, and nobody is called."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import error_of
from tests.template import Json

MANY = "/batch_completion"
RACE = "/batch_completion_models"
ALL = "/batch_completion_models_all_responses"
CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"

MODEL, OTHER = "gpt-4o-mini", "claude-haiku-4-5"
PROMPT = [{"role": "user", "content": "Hi"}]
ONE, SEVERAL = {"model": MODEL}, {"models": [MODEL, OTHER]}
FLAT, NESTED = '[{"role"', '[[{"role"'


@pytest.mark.parametrize(
    ("path", "body", "param", "shape"),
    [
        (MANY, {**ONE, "messages": PROMPT}, "messages", NESTED),
        (MANY, {**ONE, "messages": []}, "messages", NESTED),
        (MANY, {**ONE, "messages": "Hi"}, "messages", NESTED),
        (MANY, {**ONE, "messages": ["Hi"]}, "messages[0]", NESTED),
        (MANY, {**ONE, "messages": [PROMPT, []]}, "messages[1]", FLAT),
        (MANY, {**ONE, "messages": [PROMPT, [PROMPT]]}, "messages[1]", FLAT),
        (MANY, {**ONE, "messages": [{"messages": [PROMPT]}]}, "messages[0].messages", FLAT),
        (RACE, {**SEVERAL, "messages": [PROMPT]}, "messages", FLAT),
        (RACE, {**SEVERAL, "messages": []}, "messages", FLAT),
        (RACE, {**SEVERAL, "messages": "Hi"}, "messages", FLAT),
        (ALL, {**SEVERAL, "messages": [PROMPT]}, "messages", FLAT),
        (ALL, {**SEVERAL, "messages": {}}, "messages", FLAT),
        (CHAT, {**ONE, "messages": []}, "messages", FLAT),
        (CHAT, {**ONE, "messages": "Hi"}, "messages", FLAT),
        (CHAT, {**ONE, "messages": [PROMPT, []]}, "messages[1]", FLAT),
        (CHAT, {**ONE, "messages": [PROMPT, PROMPT[0]]}, "messages[1]", FLAT),
    ],
)
def test_messages_of_another_shape_are_refused_with_the_right_one(
    http: httpx.Client, simulator: SimulatorClient, path: str, body: Json, *, param: str, shape: str
) -> None:
    answer = http.post(path, json=body)

    assert (answer.status_code, error_of(answer)["param"]) == (400, param)
    assert shape in error_of(answer)["message"]
    assert simulator.calls() == []


@pytest.mark.parametrize("path", [RACE, ALL])
@pytest.mark.parametrize("models", [[], "", ["", " "], [1], {}, None])
def test_no_models_are_refused(
    http: httpx.Client, simulator: SimulatorClient, path: str, models: Any
) -> None:
    answer = http.post(path, json={"models": models, "messages": PROMPT})

    assert answer.status_code == 400
    assert error_of(answer)["param"].startswith("models")
    assert simulator.calls() == []


@pytest.mark.parametrize("name", ["api_base", "api_key", "base_url"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MANY, {**ONE, "messages": [PROMPT]}),
        (RACE, {**SEVERAL, "messages": PROMPT}),
        (ALL, {**SEVERAL, "messages": PROMPT}),
        (CHAT, {**ONE, "messages": PROMPT}),
        (CHAT, {"model": f"{MODEL}, {OTHER}", "messages": PROMPT}),
        (EMBEDDINGS, {"model": "text-embedding-3-small", "input": "Hi"}),
    ],
)
def test_nobody_chooses_where_keys_go(
    http: httpx.Client, simulator: SimulatorClient, path: str, body: Json, name: str
) -> None:
    answer = http.post(path, json={**body, name: "http://127.0.0.1:1/steal"})

    assert (answer.status_code, error_of(answer)["param"]) == (400, name)
    assert "steal" not in answer.text
    assert simulator.calls() == []


def test_nor_does_one_of_many_prompts(http: httpx.Client, simulator: SimulatorClient) -> None:
    items = [PROMPT, {"messages": PROMPT, "api_key": "sk-mine"}]

    answer = http.post(MANY, json={**ONE, "messages": items})

    assert (answer.status_code, error_of(answer)["param"]) == (400, "messages[1].api_key")
    assert simulator.calls() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MANY, {"model": "nobody-knows", "messages": [PROMPT]}),
        (CHAT, {"model": "nobody-knows", "messages": PROMPT}),
        (EMBEDDINGS, {"model": "nobody-knows", "input": "Hi"}),
        (RACE, {"models": ["nobody-knows", "nor-this"], "messages": PROMPT}),
    ],
)
def test_a_model_that_is_unknown_is_not_found(http: httpx.Client, path: str, body: Json) -> None:
    answer = http.post(path, json=body)

    assert answer.status_code == 404
    told = error_of(answer)
    assert {each["code"] for each in told.get("models", [told])} == {"model_not_found"}


def test_an_unknown_model_among_several_hides_no_other(http: httpx.Client) -> None:
    names = ["nobody-knows", MODEL]

    raced = http.post(RACE, json={"models": names, "messages": PROMPT})
    told = http.post(ALL, json={"models": names, "messages": PROMPT}).json()
    listed = http.post(CHAT, json={"model": names, "messages": PROMPT}).json()

    assert (raced.status_code, raced.headers["x-nightmail-winner"]) == (200, MODEL)
    (failed, _) = json.loads(raced.headers["x-nightmail-race"])
    assert (failed["outcome"], failed["status"]) == ("failed", 404)
    for answers in (told["data"], listed):
        assert answers[0]["model"] == "nobody-knows"
        assert answers[0]["error"]["code"] == "model_not_found"
        assert answers[1]["choices"]


def test_a_model_that_is_named_twice_runs_twice_and_an_empty_name_is_none(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    listed = http.post(CHAT, json={"model": f"{MODEL}, {MODEL},", "messages": PROMPT}).json()
    told = http.post(ALL, json={"models": [MODEL, "", MODEL], "messages": PROMPT}).json()

    assert [each["model"] for each in listed] == [MODEL, MODEL]
    assert [each["model"] for each in told["data"]] == [MODEL, MODEL]
    assert len(simulator.calls(path=CHAT)) == 4


@pytest.mark.parametrize("path", [MANY, CHAT, RACE, ALL, EMBEDDINGS])
@pytest.mark.parametrize("content", [b"", b"not JSON", b"[]", b"7", b'{"model": "x"', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(http: httpx.Client, path: str, content: bytes) -> None:
    answer = http.post(path, content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert error_of(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize("prefer", ["wait=20", "respond-async"])
def test_what_is_nested_too_deeply_for_a_batch_is_refused(http: httpx.Client, prefer: str) -> None:
    """A batch's line has one level more than the request."""
    statuses = []
    for levels in range(248, 258):
        deep = "[" * levels + "]" * levels
        content = f'{{"model": "{MODEL}", "messages": [{json.dumps(PROMPT)}], "stop": {deep}}}'
        headers = {"content-type": "application/json", "prefer": prefer}
        answer = http.post(MANY, content=content, headers=headers)
        statuses.append(answer.status_code)
        assert answer.status_code in {200, 202} or "deep" in error_of(answer)["message"]

    assert statuses == sorted(statuses)
    assert set(statuses) == {202 if prefer == "respond-async" else 200, 400}


@pytest.mark.parametrize("path", [MANY, CHAT, RACE, ALL, EMBEDDINGS])
def test_a_body_over_the_limits_of_one_event_names_the_batch_api(
    http: httpx.Client, simulator: SimulatorClient, path: str
) -> None:
    for size in (4_500_000, 8_000_000):  # ours, and that of Lambda's event
        answer = http.post(path, json={**ONE, "input": "x" * size})

        assert answer.status_code == 413
        assert "batch" in error_of(answer)["message"].lower()
    assert simulator.calls() == []
