"""Gemini's page of the simulator: its paths, its errors and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import KEY

Json = dict[str, Any]
CHAT = "/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    base_url = simulator.base_of("gemini")
    headers = {"x-goog-api-key": KEY}
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        yield http


def question(text: str = "Hi", **more: Any) -> Json:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def test_the_model_of_the_path_answers(http: httpx.Client) -> None:
    answer = http.post(CHAT, json=question()).json()
    (candidate,) = answer["candidates"]
    assert candidate["finishReason"] == "STOP"
    assert "Hi" in candidate["content"]["parts"][0]["text"]
    assert answer["modelVersion"].startswith("gemini-2.5-flash")


def test_a_stream_adds_up_to_the_answer(http: httpx.Client) -> None:
    whole = http.post(CHAT, json=question()).json()["candidates"][0]["content"]["parts"][0]["text"]
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    lines = http.post(path, json=question()).text.splitlines()
    events = [httpx.Response(200, text=line[6:]).json() for line in lines if line]
    parts = [event["candidates"][0]["content"]["parts"][0] for event in events]
    assert "".join(part["text"] for part in parts) == whole
    assert len(events) > 1


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"content": []}, "content"),
        ({"generationConfig": {"stopSequences": list("abcdef")}}, "stopSequences"),
        ({"generationConfig": {"temperature": 3}}, "temperature"),
        ({"generationConfig": {"responseJsonSchema": {}}}, "response_json_schema"),
        ({"generationConfig": {"logprobs": 1}}, "logprobs"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "function"),
        ({"contents": [{"parts": [{}]}]}, "part"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
            "number of function response parts",
        ),
    ],
)
def test_what_is_wrong_is_a_400_that_names_it(http: httpx.Client, more: Json, place: str) -> None:
    answer = http.post(CHAT, json=question() | more)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert place in error["message"]


def test_a_wrong_key_is_a_400_with_a_reason(http: httpx.Client, simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "refused_key"})
    answer = http.post(CHAT, json=question())
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_a_crowd_is_told_when_to_come_back(http: httpx.Client, simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "status", "status": 429, "retry_after": 3})
    answer = http.post(CHAT, json=question())
    assert answer.status_code == 429
    assert answer.json()["error"]["details"][0]["retryDelay"] == "3s"


def test_what_has_no_route_is_a_404(http: httpx.Client) -> None:
    for path in ("/v1beta/models/gemini-2.5-flash:countTokens", "/v1beta/chat", "/elsewhere"):
        answer = http.post(path, json=question())
        assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_the_models_of_embeddings_have_to_agree(http: httpx.Client) -> None:
    path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    content = {"parts": [{"text": "a"}]}
    good = {"model": "models/gemini-embedding-001", "content": content}
    assert len(http.post(path, json={"requests": [good, good]}).json()["embeddings"]) == 2
    other = http.post(path, json={"requests": [good | {"model": "models/other"}]})
    assert other.status_code == 400
