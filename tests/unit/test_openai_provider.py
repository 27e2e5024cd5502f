"""The OpenAI-compatible native lane, against the provider simulator on a real socket."""

from __future__ import annotations

import json
from typing import Any

import httpx
import orjson
import pytest
from nightmail.deployment import Deployment
from nightmail.errors import (
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    ProviderUnclear,
)
from nightmail.lines import Line
from nightmail.outcome import Kind
from nightmail.part import Ending
from nightmail.providers.base import Cursor, Result, Tag
from nightmail.providers.openai import provider as openai_provider
from nightmail.providers.openai.provider import OpenAIProvider, open_client

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.world import CHAT, KEY, UPSTREAM_MODEL, requests

TAG = Tag("batch_1", 1)
CREATE = {"method": "POST", "path": "/batches"}


@pytest.fixture
def provider(simulator: SimulatorClient) -> OpenAIProvider:
    return provider_at(simulator.base_url)


def provider_at(api_base: str, **more: Any) -> OpenAIProvider:
    deployment = Deployment(
        name="m", provider="openai", model=UPSTREAM_MODEL, api_base=api_base, **more
    )
    return OpenAIProvider(deployment, open_client(deployment, KEY))


def line(number: int, **more: Any) -> Line:
    body = {**requests(1)[0]["body"], "messages": [{"role": "user", "content": f"Q{number}"}]}
    return Line(number, f"c-{number}", CHAT, "m", {**body, **more})


def prepare(provider: OpenAIProvider, count: int = 3) -> str:
    content = [provider.to_line(line(number)) for number in range(1, count + 1)]
    return provider.prepare(content, sum(map(len, content)), TAG)


def finished(provider: OpenAIProvider, simulator: SimulatorClient, count: int = 3) -> list[str]:
    """The outputs of a batch that has ended."""
    batch_id = provider.submit(prepare(provider, count), CHAT, TAG)
    simulator.until_final(batch_id)
    return provider.poll(batch_id).output_ids


# ---- Sending


def test_a_line_goes_out_under_its_number_and_with_the_providers_model(
    provider: OpenAIProvider,
) -> None:
    sent = provider.to_line(line(7, temperature=0.5))
    assert sent.endswith(b"\n")
    assert orjson.loads(sent) == {
        "custom_id": "7",
        "method": "POST",
        "url": CHAT,
        "body": {
            "model": UPSTREAM_MODEL,
            "messages": [{"role": "user", "content": "Q7"}],
            "temperature": 0.5,
        },
    }


def test_a_batch_is_made_of_an_uploaded_file_and_carries_its_tag(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    batch_id = provider.submit(prepare(provider), CHAT, TAG)
    (batch,) = simulator.batches()
    assert batch["id"] == batch_id
    assert batch["metadata"] == {
        "nightmail_batch": "batch_1",
        "nightmail_shard": "1",
        "nightmail_attempt": "0",
    }


def test_an_upload_is_a_form_that_names_its_length() -> None:
    sent: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"id": "file-1"})

    deployment = Deployment(name="m", provider="openai", model="m")
    with httpx.Client(base_url="http://p", transport=httpx.MockTransport(take)) as client:
        assert OpenAIProvider(deployment, client).prepare(iter([b"a", b"bc"]), 3, TAG) == "file-1"
    (request,) = sent
    assert request.headers["content-length"] == str(len(request.content))
    assert "transfer-encoding" not in request.headers
    assert b'filename="batch_1-1.jsonl"' in request.content
    assert b"\r\n\r\nabc\r\n--" in request.content


@pytest.mark.parametrize("when", ["after", "during"])
def test_a_lost_answer_to_a_submission_is_unclear(
    provider: OpenAIProvider, simulator: SimulatorClient, when: str
) -> None:
    prepared = prepare(provider)
    simulator.behave({"kind": "drop", "when": when, "match": CREATE})
    with pytest.raises(ProviderUnclear):
        provider.submit(prepared, CHAT, TAG)
    assert len(simulator.batches()) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504, 520])
def test_an_error_that_may_come_too_late_is_unclear(
    provider: OpenAIProvider, simulator: SimulatorClient, status: int
) -> None:
    simulator.behave({"kind": "status", "status": status, "match": CREATE})
    with pytest.raises(ProviderUnclear):
        provider.submit("file-x", CHAT, TAG)


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"id": 5}', '{"id": ""}'])
def test_a_submission_answered_without_an_id_is_unclear(
    provider: OpenAIProvider, simulator: SimulatorClient, body: str
) -> None:
    simulator.behave({"kind": "status", "status": 200, "body": body, "match": CREATE})
    with pytest.raises(ProviderUnclear):
        provider.submit("file-x", CHAT, TAG)


@pytest.mark.parametrize(
    ("status", "leaf"),
    [(400, ProviderRejected), (429, ProviderThrottled), (503, ProviderUnavailable)],
)
def test_a_refused_submission_is_clear(
    provider: OpenAIProvider, simulator: SimulatorClient, status: int, leaf: type[Exception]
) -> None:
    simulator.behave({"kind": "status", "status": status, "match": CREATE})
    with pytest.raises(leaf):
        provider.submit("file-x", CHAT, TAG)


def test_a_submission_that_was_never_sent_is_clear() -> None:
    nobody = provider_at("http://127.0.0.1:9")  # the discard port
    with pytest.raises(ProviderUnavailable):
        nobody.submit("file-x", CHAT, TAG)


# ---- Finding


def test_a_batch_is_found_by_its_tag_among_many(
    provider: OpenAIProvider, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_provider, "_PAGE", 2)
    prepared = prepare(provider)
    wanted = provider.submit(prepared, CHAT, TAG)
    others = [Tag("batch_1", 2), Tag("batch_2", 1), Tag("batch_1", 1, attempt=1)]
    for other in others * 2:
        provider.submit(prepared, CHAT, other)
    assert provider.find(prepared, TAG, since=0) == wanted
    assert provider.find(prepared, Tag("batch_3", 1), since=0) is None


def test_what_is_older_than_the_submission_is_not_looked_at(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    prepared = prepare(provider)
    provider.submit(prepared, CHAT, TAG)
    assert provider.find(prepared, TAG, since=2 * 10**9) is None


def test_a_provider_that_lists_its_oldest_batch_first_is_read_to_the_end(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    entries = [
        {"id": "batch-old", "input_file_id": "file-old", "created_at": 1},
        {"id": "batch-older-than-us", "input_file_id": "file-other", "created_at": 2},
        {"id": "batch-ours", "input_file_id": "file-ours", "created_at": 10**9},
    ]
    page = {"object": "list", "data": entries, "has_more": False}
    simulator.behave(
        {
            "kind": "status",
            "status": 200,
            "body": json.dumps(page),
            "match": {"method": "GET", "path": "/batches"},
        }
    )
    assert provider.find("file-ours", TAG, since=10**9) == "batch-ours"


@pytest.mark.parametrize("metadata", [None, {}])
def test_a_provider_without_metadata_finds_a_batch_by_its_file(
    provider: OpenAIProvider, simulator: SimulatorClient, metadata: Json | None
) -> None:
    entries = [
        {"id": "batch-other", "input_file_id": "file-other", "metadata": metadata},
        {"id": "batch-ours", "input_file_id": "file-ours", "metadata": metadata},
    ]
    page = {"object": "list", "data": entries, "has_more": False}
    simulator.behave(
        {
            "kind": "status",
            "status": 200,
            "body": json.dumps(page),
            "match": {"method": "GET", "path": "/batches"},
        }
    )
    assert provider.find("file-ours", TAG, since=0) == "batch-ours"


# ---- Results


def test_every_answer_is_read_with_its_usage_and_the_public_name_of_the_model(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    results = list(provider.results(finished(provider, simulator), "public", Cursor()))
    outcomes = [result.outcome for result in results if result.outcome]
    assert sorted(outcome.number for outcome in outcomes) == [1, 2, 3]
    for result in results:
        assert result.outcome
        assert result.outcome.kind is Kind.ANSWERED
        assert result.outcome.response
        assert result.outcome.response["body"]["model"] == "public"
        assert result.outcome.details == {
            "provider": "openai",
            "model": f"{UPSTREAM_MODEL}-2026-01-01",
        }
        assert result.usage.input_tokens > 0


def test_results_are_read_on_from_any_cursor(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    outputs = finished(provider, simulator)
    whole = list(provider.results([*outputs, *outputs], "m", Cursor()))
    assert len(whole) == 6
    for read, result in enumerate(whole, 1):
        rest = list(provider.results([*outputs, *outputs], "m", result.behind))
        assert rest == whole[read:]


def test_results_are_read_on_at_a_server_that_knows_no_ranges(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    lines = [b'{"custom_id":"%d"}\n' % number for number in (1, 2, 3)]
    body = b"".join(lines).decode()
    simulator.behave({"kind": "status", "status": 200, "body": body})
    start = Cursor(0, len(lines[0]))
    numbers = [one.outcome and one.outcome.number for one in provider.results(["f"], "m", start)]
    assert numbers == [2, 3]


def test_a_file_that_is_gone_is_not_found(provider: OpenAIProvider) -> None:
    with pytest.raises(ProviderNotFound):
        list(provider.results(["file-gone"], "m", Cursor()))


def test_a_result_that_is_longer_than_we_can_hold_is_garbage(
    provider: OpenAIProvider, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = finished(provider, simulator)
    monkeypatch.setattr(openai_provider, "MAX_RESULT_BYTES", 10)
    results: list[Result] = list(provider.results(outputs, "m", Cursor()))
    assert [result.outcome for result in results] == [None] * 3


# ---- Cancelling


def test_cancelling_a_batch_that_has_ended_is_no_error(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    batch_id = provider.submit(prepare(provider), CHAT, TAG)
    simulator.until_final(batch_id)
    provider.cancel(batch_id)
    assert provider.poll(batch_id).ending is Ending.COMPLETED


def test_cancelling_a_batch_that_runs_stops_it(
    provider: OpenAIProvider, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "stuck_batch"})
    batch_id = provider.submit(prepare(provider), CHAT, TAG)
    provider.cancel(batch_id)
    simulator.until_final(batch_id)
    assert provider.poll(batch_id).ending is Ending.CANCELLED


# ---- The client


def test_a_client_carries_key_and_organization_and_is_made_once() -> None:
    deployment = Deployment(name="m", provider="openai", model="m", organization="org-1")
    client = open_client(deployment, KEY)
    assert client.headers["authorization"] == f"Bearer {KEY}"
    assert client.headers["openai-organization"] == "org-1"
    assert str(client.base_url) == "https://api.openai.com/v1/"
    assert open_client(deployment, KEY) is client
    assert "authorization" not in open_client(deployment, None).headers
