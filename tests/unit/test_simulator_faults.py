"""The provider simulator: what it can be made to do wrong with a call."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.simulated import Json, Provider, as_jsonl, chat, line

LINES = [line(number) for number in range(1, 9)]
CREATE = {"method": "POST", "path": "/batches"}


def test_calls_are_refused_so_often_and_then_answered(provider: Provider) -> None:
    provider.simulator.behave(
        {"kind": "status", "status": 429, "retry_after": 7, "times": 2},
        {"kind": "status", "status": 503, "times": 1},
    )
    answers = [provider.ask(chat("Hi")) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 503, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json()["error"]["code"] == "rate_limit_exceeded"
    assert provider.simulator.struck() == [2, 1]
    assert [call["fault"] for call in provider.simulator.calls()] == ["status"] * 3 + [None]


def test_a_refusal_can_have_a_code_or_a_body_of_its_own(provider: Provider) -> None:
    quota = {"kind": "status", "status": 429, "code": "insufficient_quota", "message": "Pay."}
    provider.simulator.behave(
        quota | {"times": 1}, {"kind": "status", "status": 502, "body": "<b>"}
    )

    assert provider.ask(chat("Hi")).json()["error"]["code"] == "insufficient_quota"
    assert provider.ask(chat("Hi")).text == "<b>"


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"method": "POST"}, [503, 200]),
        ({"path": "/mod*"}, [200, 503]),
        ({"key": "abcd"}, [503, 503]),
        ({"key": "other"}, [200, 200]),
        ({"model": "gpt-5*"}, [503, 200]),
        ({"text": "tell me"}, [503, 200]),
        ({"text": "nothing"}, [200, 200]),
        ({"metadata": {"shard": "1"}}, [503, 200]),
        ({"metadata": {"shard": "2"}}, [200, 200]),
    ],
)
def test_a_fault_strikes_only_what_it_matches(
    provider: Provider, match: Json, expected: list[int]
) -> None:
    provider.simulator.behave({"kind": "status", "status": 503, "match": match})
    asked = provider.ask(chat("Please tell me", metadata={"shard": "1"}))
    listed = provider.http.get("/models")

    assert [asked.status_code, listed.status_code] == expected


def test_a_connection_dropped_before_accepting_leaves_no_batch(provider: Provider) -> None:
    file_id = provider.upload(as_jsonl(LINES)).json()["id"]
    provider.simulator.behave({"kind": "drop", "match": CREATE, "times": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        provider.create(file_id)

    assert provider.simulator.batches() == []
    assert provider.create(file_id).status_code == 200
    assert [call["status"] for call in provider.simulator.calls(**CREATE)] == [None, 200]


def test_a_connection_dropped_after_accepting_leaves_a_batch(provider: Provider) -> None:
    file_id = provider.upload(as_jsonl(LINES)).json()["id"]
    provider.simulator.behave({"kind": "drop", "when": "after", "match": CREATE})

    with pytest.raises(httpx.RemoteProtocolError):
        provider.create(file_id, metadata={"tag": "x"})

    (batch,) = provider.simulator.batches()
    assert batch["metadata"] == {"tag": "x"}
    (call,) = provider.simulator.calls(**CREATE)
    assert (call["status"], call["disconnected"]) == (None, False)


@pytest.mark.parametrize(("when", "files"), [("before", 0), ("after", 1)])
def test_an_upload_can_lose_its_connection(provider: Provider, when: str, files: int) -> None:
    provider.simulator.behave({"kind": "drop", "when": when, "times": 1})

    with pytest.raises(httpx.TransportError):
        provider.upload(b"{}\n" * 1_000_000)

    assert len(provider.http.get("/files").json()["data"]) == files


def test_a_connection_dropped_in_the_middle_delivers_a_part_of_a_file(provider: Provider) -> None:
    batch = provider.finish(LINES)
    whole = provider.content(batch["output_file_id"])
    match = {"path": "/files/*/content"}
    provider.simulator.behave({"kind": "drop", "when": "during", "match": match, "times": 1})

    received: list[bytes] = []
    with (
        provider.http.stream("GET", f"/files/{batch['output_file_id']}/content") as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        received.extend(answer.iter_bytes())

    assert 0 < len(b"".join(received)) < len(whole)
    assert whole.startswith(b"".join(received))


@pytest.mark.parametrize("when", ["before", "after", "during"])
def test_a_held_call_is_answered_when_it_is_released(provider: Provider, when: str) -> None:
    fault = {"kind": "hold", "when": when, "name": "gate", "match": {"method": "POST"}}
    provider.simulator.behave(fault)

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(provider.ask, chat("Hi"))
        provider.simulator.until_waiting("gate")
        (call,) = provider.simulator.calls()
        paid = provider.simulator.paid()
        assert provider.simulator.release("another") == 0
        assert provider.simulator.release("gate") == 1

    assert answer.result().json()["object"] == "chat.completion"
    assert call["finished"] is False
    assert len(paid) == (0 if when == "before" else 1)


@pytest.mark.parametrize(
    "fault", [{"kind": "hold"}, {"kind": "slow", "seconds": 60}, {"kind": "hold", "when": "after"}]
)
def test_a_client_that_went_away_is_told_in_the_log(provider: Provider, fault: Json) -> None:
    provider.simulator.behave(fault)
    address = httpx.URL(provider.simulator.url)

    with socket.create_connection((address.host, address.port)) as client:
        client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n")
        provider.simulator.until_logged(fault=fault["kind"])
    provider.simulator.until_logged(disconnected="true")

    (call,) = provider.simulator.calls()
    assert (call["path"], call["status"], call["disconnected"]) == ("/models", None, True)


def test_a_slow_call_is_answered(provider: Provider) -> None:
    provider.simulator.behave({"kind": "slow", "seconds": 0.01, "when": "after"})

    assert provider.ask(chat("Hi")).status_code == 200


def test_a_key_can_be_refused(provider: Provider) -> None:
    provider.simulator.behave({"kind": "refused_key", "match": {"key": "abcd"}})
    answer = provider.http.get("/models")
    other = provider.http.get("/models", headers={"authorization": "Bearer sk-good"})

    assert (answer.status_code, other.status_code) == (401, 200)
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_model_can_be_unknown_directly_and_in_a_batch(provider: Provider) -> None:
    provider.simulator.behave({"kind": "unknown_model", "match": {"model": "gpt-5*"}})
    answer = provider.ask(chat("Hi"))
    batch = provider.finish(LINES)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert provider.http.get("/models/gpt-5").status_code == 404
    assert provider.http.get("/models/other/name").json()["id"] == "other/name"
    assert batch["status"] == "failed"
    assert {error["code"] for error in batch["errors"]["data"]} == {"model_not_found"}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"behaviours": [{"kind": "unheard_of"}]},
        {"behaviours": [{"kind": "status", "status": 429, "tims": 1}]},
        {"behaviours": [{"kind": "drop", "when": "later"}]},
    ],
)
def test_a_fault_that_does_not_exist_is_refused(provider: Provider, wanted: Json) -> None:
    answer = provider.http.post(f"{provider.simulator.url}/_control/behaviour", json=wanted)

    assert answer.status_code == 400


def test_a_setting_that_does_not_exist_is_refused(provider: Provider) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        provider.simulator.set(batch_minutes=1)
