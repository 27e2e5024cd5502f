"""The provider simulator: what it can be made to do wrong with Anthropic's batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json, error_of
from tests.simulated_messages import MessageBatches, request
from tests.simulated_providers import anthropic_client, message

REQUESTS = [request(number) for number in range(1, 9)]
NOTHING = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


@pytest.fixture
def batches(simulator: SimulatorClient) -> Iterator[MessageBatches]:
    with anthropic_client(simulator) as http:
        yield MessageBatches(simulator, http)


def looks(batches: MessageBatches, count: int = 3) -> list[Json]:
    """Looks at a batch that has ended."""
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_final(batch_id)
    return [batches.look(batch_id) for _ in range(count)]


def test_an_odd_status_is_shown_for_so_many_polls(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "odd_status", "word": "queued", "polls": 2})

    seen = [look["processing_status"] for look in looks(batches)]
    assert seen == ["queued", "queued", "ended"]


def test_counts_can_come_late(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "lagging_counts", "polls": 1})

    seen = [look["request_counts"] for look in looks(batches, 2)]
    assert seen == [NOTHING, {**NOTHING, "succeeded": 8}]


def test_results_can_come_late(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "late_output", "polls": 2})
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_final(batch_id)
    seen: list[tuple[str, bool, int]] = []
    for _ in range(3):
        look = batches.look(batch_id)
        fetched = batches.get(batch_id, "/results").status_code
        seen.append((look["processing_status"], look["results_url"] is None, fetched))

    assert seen == [("ended", True, 404), ("ended", True, 404), ("ended", False, 200)]


def test_a_batch_can_vanish(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "vanished_batch", "after_polls": 1})
    batch_id = batches.submit(REQUESTS)
    statuses = [batches.get(batch_id).status_code for _ in range(3)]

    assert statuses == [200, 404, 404]
    assert batches.cancel(batch_id).status_code == 404
    assert batches.list().json()["data"] == []
    assert len(batches.simulator.batches()) == 1


def test_result_lines_can_be_missing_double_garbage_or_nobodys(batches: MessageBatches) -> None:
    true = batches.content(batches.finish(REQUESTS)).splitlines()
    spoiled: dict[str, list[bytes]] = {}
    for kind in ("missing", "duplicated", "garbage", "unknown_ids"):
        batches.simulator.behave({"kind": kind, "lines": 2})
        batch = batches.finish(REQUESTS)
        spoiled[kind] = batches.content(batch).splitlines()
        assert batch["request_counts"]["succeeded"] == len(true)

    assert spoiled["missing"] == true[2:]
    assert spoiled["duplicated"] == [true[0], true[0], true[1], true[1], *true[2:]]
    assert sum(b"not a line of JSON" in one for one in spoiled["garbage"]) == 2
    assert sum(b'"nobody-sent-this-' in one for one in spoiled["unknown_ids"]) == 2
    assert set(true) < set(spoiled["garbage"])
    assert set(true) < set(spoiled["unknown_ids"])


@pytest.mark.parametrize("mid_line", [False, True])
def test_results_can_be_truncated(batches: MessageBatches, mid_line: bool) -> None:
    batches.simulator.behave({"kind": "truncated", "mid_line": mid_line})
    *whole, rest = batches.content(batches.finish(REQUESTS)).split(b"\n")

    assert 0 < len(whole) < len(REQUESTS)
    assert all(json.loads(line)["result"]["type"] == "succeeded" for line in whole)
    assert bool(rest) is mid_line


def test_an_unknown_model_fails_its_requests_and_not_the_batch(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "unknown_model", "match": {"model": "claude-old"}})
    requests = [request(1, message(model="claude-old")), request(2)]
    results = batches.results(batches.finish(requests))

    error = results["r1"]["error"]["error"]
    assert error == {"type": "not_found_error", "message": "model: claude-old"}
    assert results["r2"]["type"] == "succeeded"


@pytest.mark.parametrize(
    ("match", "meets"),
    [
        ({"provider": "anthropic"}, True),
        ({"provider": "openai"}, False),
        ({"model": "claude-haiku-*"}, True),
        ({"model": "gpt-*"}, False),
        ({"path": "/messages/batches"}, True),
        ({"path": "/batches"}, False),
        ({"text": "Question 7"}, True),
        ({"text": "Question 77"}, False),
        ({"key": "abcd"}, True),
        ({"key": "other"}, False),
        ({"metadata": {"shard": "1"}}, False),
    ],
)
def test_a_fault_chooses_its_calls_and_its_batches(
    batches: MessageBatches, match: Json, meets: bool
) -> None:
    batches.simulator.behave({"kind": "status", "status": 529, "match": match})
    refused = batches.create(REQUESTS)
    batches.simulator.behave({"kind": "expired_batch", "match": match})
    batch = batches.finish(REQUESTS)

    assert refused.status_code == (529 if meets else 200)
    assert batch["request_counts"]["expired"] == (8 if meets else 0)


CALLS: dict[str, Callable[[MessageBatches, str], httpx.Response]] = {
    "create": lambda batches, _: batches.create(REQUESTS),
    "list": lambda batches, _: batches.list(),
    "retrieve": lambda batches, batch_id: batches.get(batch_id),
    "cancel": lambda batches, batch_id: batches.cancel(batch_id),
    "results": lambda batches, batch_id: batches.get(batch_id, "/results"),
    "delete": lambda batches, batch_id: batches.delete(batch_id),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_can_be_refused_or_garbled(batches: MessageBatches, call: str) -> None:
    batch_id = batches.finish(REQUESTS)["id"]
    batches.simulator.behave(
        {"kind": "status", "status": 500, "times": 1},
        {"kind": "refused_key", "times": 1},
        {"kind": "status", "status": 200, "body": "<html>", "times": 1},
    )
    failed, keyless, garbled = (CALLS[call](batches, batch_id) for _ in range(3))

    assert (failed.status_code, error_of(failed)["type"]) == (500, "api_error")
    assert (keyless.status_code, error_of(keyless)["type"]) == (401, "authentication_error")
    assert (garbled.status_code, garbled.text) == (200, "<html>")
    assert len(batches.simulator.batches()) == 1


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_can_be_broken_off(batches: MessageBatches, call: str, when: str) -> None:
    batch_id = batches.finish(REQUESTS)["id"]
    batches.simulator.behave({"kind": "drop", "when": when})
    with pytest.raises(httpx.TransportError):
        CALLS[call](batches, batch_id)

    made = 2 if call == "create" and when != "before" else 1
    assert len(batches.simulator.batches()) == made


def test_a_creation_can_be_held_when_it_is_done_already(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "hold", "when": "after", "match": {"method": "POST"}})
    with pytest.raises(httpx.ReadTimeout):
        batches.create(REQUESTS, timeout=0.1)
    batches.simulator.until_calls("held")

    assert len(batches.list().json()["data"]) == 1


def test_a_full_queue_refuses_batches_until_others_have_ended(batches: MessageBatches) -> None:
    batches.simulator.behave(
        {"kind": "stuck_batch", "times": 1}, {"kind": "queue_limit", "lines": 10}
    )
    stuck = batches.submit(REQUESTS)
    refused = batches.create(REQUESTS)
    small = batches.create(REQUESTS[:2])
    batches.simulator.release()
    batches.end(stuck)
    batches.end(small.json()["id"])

    assert (refused.status_code, error_of(refused)["type"]) == (429, "rate_limit_error")
    assert batches.finish(REQUESTS)["request_counts"]["succeeded"] == 8
