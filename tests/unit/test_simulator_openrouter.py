"""The provider simulator: OpenRouter's batches."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json

QUESTION = {"messages": [{"role": "user", "content": "Hi."}]}
BATCH = {
    "endpoint": "/v1/chat/completions",
    "model": "z-ai/glm-5.3-flash",
    "requests": [{"custom_id": "a", "body": QUESTION}, {"custom_id": "b", "body": QUESTION}],
}


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    base = simulator.base_of("openrouter").removesuffix("/v1") + "/beta"
    headers = {"authorization": "Bearer sk-or-1"}
    with httpx.Client(base_url=base, headers=headers, trust_env=False) as client:
        yield client


def submit(http: httpx.Client, **changed: object) -> httpx.Response:
    return http.post("/batches", json={**BATCH, **changed})


def test_a_batch_is_accepted_and_has_its_results_within(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    accepted = submit(http)
    assert (accepted.status_code, accepted.json()["status"]) == (202, "validating")
    identity = accepted.json()["id"]
    simulator.until_final(identity)
    batch = http.get(f"/batches/{identity}").json()
    assert {result["custom_id"] for result in batch["results"]} == {"a", "b"}
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    (listed,) = http.get("/batches").json()["data"]
    assert listed == {**batch, "results": None}


def test_batches_are_not_where_the_models_are(simulator: SimulatorClient) -> None:
    base, headers = simulator.base_of("openrouter"), {"authorization": "Bearer sk-or-1"}
    answer = httpx.post(f"{base}/batches", json=BATCH, headers=headers, trust_env=False)
    assert answer.status_code == 404


def test_a_request_that_fails_has_an_error_and_no_response(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    failing = {"messages": [{"role": "user", "content": "[[fail:429]]"}]}
    identity = submit(http, requests=[{"custom_id": "a", "body": failing}]).json()["id"]
    simulator.until_final(identity)
    (result,) = http.get(f"/batches/{identity}").json()["results"]
    assert (result["response"], result["error"]["error_type"]) == (None, "rate_limit_exceeded")


def test_a_request_with_more_than_text_fails_its_whole_batch(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    showing = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi."}, image]}]}
    requests = [*BATCH["requests"], {"custom_id": "c", "body": showing}]
    identity = submit(http, requests=requests).json()["id"]
    simulator.until_final(identity)
    batch = http.get(f"/batches/{identity}").json()
    assert (batch["status"], batch["results"]) == ("failed", None)
    assert batch["error"]["message"] == "requests[2]: batches take text alone."


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "/v1/completions"},
        {"model": ""},
        {"completion_window": "48h"},
        {"metadata": {}},
        {"requests": []},
        {"requests": [{"custom_id": "", "body": {}}]},
        {"requests": [{"custom_id": "a"}]},
        {"requests": [{"custom_id": "a", "body": {}}, {"custom_id": "a", "body": {}}]},
        {"requests": [{"custom_id": "a", "body": {"model": "another"}}]},
    ],
)
def test_what_is_wrong_with_a_batch_is_refused(http: httpx.Client, changed: Json) -> None:
    refused = submit(http, **changed)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == 400


@pytest.mark.parametrize("last", ["model", "endpoint"])
def test_requests_come_behind_what_they_share(http: httpx.Client, last: str) -> None:
    names = [name for name in BATCH if name != last]
    content = json.dumps({name: BATCH[name] for name in [*names, last]})
    assert http.post("/batches", content=content).status_code == 400


def test_a_batch_has_its_limits(http: httpx.Client, simulator: SimulatorClient) -> None:
    many = [{"custom_id": str(number), "body": QUESTION} for number in range(5_001)]
    assert submit(http, requests=many).status_code == 400
    simulator.set(max_request_bytes=100)
    assert submit(http).status_code == 413


def test_nothing_stops_a_batch(http: httpx.Client) -> None:
    identity = submit(http).json()["id"]
    assert http.post(f"/batches/{identity}/cancel").status_code == 404


def test_batches_are_shown_to_their_own_key_alone(http: httpx.Client) -> None:
    identity = submit(http).json()["id"]
    stranger = {"authorization": "Bearer sk-or-2"}
    assert http.get(f"/batches/{identity}", headers=stranger).status_code == 404
    assert http.get("/batches", headers=stranger).json()["data"] == []
