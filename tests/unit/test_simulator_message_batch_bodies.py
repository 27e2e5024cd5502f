"""The provider simulator: what creates one of Anthropic's batches, and what is refused at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulator.anthropic.batch_body import first_model, read_requests
from local.simulator.client import SimulatorClient
from local.simulator.errors import ApiError
from tests.simulated import Json, error_of
from tests.simulated_messages import PATH, MessageBatches, request
from tests.simulated_providers import anthropic_client, message

MOST = 100_000
# What looks like the structure of a body, within its texts.
TEXTS = st.text(st.sampled_from('a"\\{}[],:\n é😀'), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PARAMS = st.dictionaries(TEXTS, VALUES, max_size=3)


@pytest.fixture
def batches(simulator: SimulatorClient) -> Iterator[MessageBatches]:
    with anthropic_client(simulator) as http:
        yield MessageBatches(simulator, http)


@given(params=st.lists(PARAMS, min_size=1, max_size=5), indent=st.sampled_from([None, 0, 2]))
def test_a_body_is_cut_into_its_requests_however_it_is_written(
    params: list[Json], indent: int | None
) -> None:
    sent = [{"custom_id": f"r{number}", "params": one} for number, one in enumerate(params)]
    content = json.dumps({"requests": sent}, indent=indent).encode()
    requests = read_requests(content, MOST)

    assert [requests[place] for place in range(len(requests))] == sent


PIECES = [b'{"requests":[', b'{"custom_id":"a","params":{}}', b",", b"]}", b"{", b"}", b'"', b"\\"]


@given(st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join))
def test_any_bytes_are_requests_or_refused(content: bytes) -> None:
    first_model(content)
    try:
        requests = read_requests(content, MOST)
    except ApiError:
        return
    found = [requests[place] for place in range(len(requests))]
    assert found == json.loads(content)["requests"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"requests":[{"custom_id":"a","params":{}}]',
        b'{"requests":[{"custom_id":"a","params":{}} {"custom_id":"b","params":{}}]}',
        b'{"requests":[{"custom_id":"a","params":{]}}]}',
        b'{"requests":[{"custom_id":"a","params":{}}]}"',
    ],
)
def test_a_body_that_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ApiError, match="not a valid JSON object"):
        read_requests(content, MOST)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "requests: Field required"),
        ({"requests": []}, "requests: "),
        ({"requests": None}, "requests: "),
        ({"requests": {"a": request(1)}}, "requests: "),
        ({"requests": [request(1), "x"]}, "requests.1: "),
        ({"requests": [request(1), [request(2)]]}, "requests.1: "),
        ({"requests": [request(1)], "metadata": {}}, "metadata: Extra inputs"),
        ({"requests": [request(1)], "more": [request(2)]}, "more: Extra inputs"),
        ({"requests": [request(1), {"custom_id": "a"}]}, "requests.1.params: Field required"),
        ({"requests": [request(1) | {"url": "/v1"}]}, "requests.0.url: Extra inputs"),
        ({"requests": [{"custom_id": 1, "params": {}}]}, "requests.0.custom_id: "),
        ({"requests": [{"custom_id": "a", "params": []}]}, "requests.0.params: "),
        ({"requests": [request(1), request(2), request(1)]}, "requests.2.custom_id: "),
    ],
)
def test_the_outer_shape_is_checked_at_once(
    batches: MessageBatches, body: Json, named: str
) -> None:
    answer = batches.http.post(PATH, json=body)

    assert (answer.status_code, error_of(answer)["type"]) == (400, "invalid_request_error")
    assert error_of(answer)["message"].startswith(named)
    assert batches.simulator.batches() == []


@pytest.mark.parametrize(
    ("custom_id", "status"),
    [("a" * 64, 200), ("A-z_0", 200), ("a" * 65, 400), ("", 400), ("a b", 400), ("ü", 400)],
)
def test_a_custom_id_has_an_alphabet_and_a_length(
    batches: MessageBatches, custom_id: str, status: int
) -> None:
    answer = batches.create([{"custom_id": custom_id, "params": message()}])

    assert answer.status_code == status


def test_a_custom_id_does_not_end_in_a_line_break(batches: MessageBatches) -> None:
    assert batches.create([{"custom_id": "a\n", "params": message()}]).status_code == 400


def test_more_requests_than_the_limit_are_refused(batches: MessageBatches) -> None:
    batches.simulator.set(max_requests=2)
    answers = [batches.create([request(n) for n in range(count)]) for count in (2, 3)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert error_of(answers[1])["message"] == "requests: List should have at most 2 items"


def test_a_larger_body_than_the_limit_is_refused(batches: MessageBatches) -> None:
    body = json.dumps({"requests": [request(1)]}).encode()
    batches.simulator.set(max_request_bytes=len(body))
    answers = [batches.http.post(PATH, content=content) for content in (body, body + b" ")]

    assert [answer.status_code for answer in answers] == [200, 413]
    assert error_of(answers[1])["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("method", "below"),
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/x"),
        ("DELETE", "/x"),
        ("POST", "/x/cancel"),
        ("GET", "/x/results"),
    ],
)
def test_every_call_needs_a_key_and_a_version(
    simulator: SimulatorClient, method: str, below: str
) -> None:
    url = f"{simulator.base_of('anthropic')}{PATH}{below}"
    key, version = {"authorization": "Bearer k"}, {"anthropic-version": "2023-06-01"}
    with httpx.Client(trust_env=False) as http:
        keyless = http.request(method, url, headers=version)
        versionless = http.request(method, url, headers=key)
        odd = http.request(method, url, headers={**key, "anthropic-version": "2020-01-01"})

    assert (keyless.status_code, error_of(keyless)["type"]) == (401, "authentication_error")
    for answer in (versionless, odd):
        assert (answer.status_code, error_of(answer)["type"]) == (400, "invalid_request_error")
        assert "anthropic-version" in error_of(answer)["message"]


@pytest.mark.parametrize("below", ["/x", "/x/results", "/x/y"])
def test_an_unknown_batch_is_not_found(batches: MessageBatches, below: str) -> None:
    answer = batches.http.get(f"{PATH}{below}")

    assert (answer.status_code, error_of(answer)["type"]) == (404, "not_found_error")
    assert answer.json()["request_id"] == answer.headers["request-id"]


def test_a_method_that_a_path_does_not_have_is_refused(batches: MessageBatches) -> None:
    answer = batches.http.put(PATH, json={})

    assert (answer.status_code, error_of(answer)["type"]) == (405, "invalid_request_error")
