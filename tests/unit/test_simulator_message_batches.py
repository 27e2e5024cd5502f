"""The provider simulator: the life of Anthropic's batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import Json, error_of
from tests.simulated_messages import MessageBatches, request
from tests.simulated_providers import anthropic_client, ask_anthropic, message

REQUESTS = [request(number) for number in range(1, 9)]
NOTHING = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


@pytest.fixture
def batches(simulator: SimulatorClient) -> Iterator[MessageBatches]:
    with anthropic_client(simulator) as http:
        yield MessageBatches(simulator, http)


def kinds(results: dict[str, Json]) -> Counter[str]:
    return Counter(result["type"] for result in results.values())


def test_each_request_has_the_answer_of_the_direct_page_in_another_order(
    batches: MessageBatches,
) -> None:
    results = batches.results(batches.finish(REQUESTS))

    assert sorted(results) == [one["custom_id"] for one in REQUESTS]
    assert list(results) != sorted(results)
    for one in REQUESTS:
        direct = batches.http.post("/v1/messages", json=one["params"]).json()
        direct["usage"]["service_tier"] = "batch"
        assert results[one["custom_id"]] == {"type": "succeeded", "message": direct}
        assert digest(one["params"]) in direct["content"][0]["text"]


def test_a_batch_tells_nothing_of_its_requests_before_all_have_ended(
    batches: MessageBatches,
) -> None:
    batches.simulator.behave({"kind": "stuck_batch", "after_lines": 3})
    batch_id = batches.submit([*REQUESTS, request(9, message("[[fail:500]]"))])
    batches.simulator.until_waiting()
    running = batches.look(batch_id)
    refused = batches.get(batch_id, "/results")
    batches.simulator.release()
    ended = batches.end(batch_id)

    assert (running["processing_status"], running["results_url"]) == ("in_progress", None)
    assert running["request_counts"] == {**NOTHING, "processing": 9}
    assert (running["ended_at"], running["cancel_initiated_at"]) == (None, None)
    assert (refused.status_code, error_of(refused)["type"]) == (404, "not_found_error")
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == {**NOTHING, "succeeded": 8, "errored": 1}


def test_a_batch_tells_its_moments(batches: MessageBatches) -> None:
    batch = batches.finish(REQUESTS)
    created, expires, ended = (
        datetime.fromisoformat(batch[f"{name}_at"]) for name in ("created", "expires", "ended")
    )

    assert created.utcoffset() == timedelta(0)
    assert expires - created == timedelta(days=1)
    assert created <= ended < expires
    assert batch["archived_at"] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_request_that_fails_is_errored_in_its_place(
    batches: MessageBatches, status: int, kind: str
) -> None:
    batch = batches.finish([request(1), request(2, message(f"[[fail:{status}]]"))])
    errored = batches.results(batch)["r2"]

    assert errored["type"] == "errored"
    assert errored["error"]["type"] == "error"
    assert errored["error"]["error"]["type"] == kind
    assert errored["error"]["request_id"].startswith("req_")
    assert batch["request_counts"]["succeeded"] == 1


@pytest.mark.parametrize(
    ("params", "named"),
    [
        (message(warmth=1), "warmth"),
        ({"model": "m", "max_tokens": 9}, "messages"),
        (message(stream=True), "stream"),
        (message(max_tokens=0), "max_tokens"),
        ({}, "model"),
    ],
)
def test_params_are_looked_at_when_they_are_run(
    batches: MessageBatches, params: Json, named: str
) -> None:
    wrong = {"custom_id": "wrong", "params": params}
    batch = batches.finish([request(1), wrong])
    error = batches.results(batch)["wrong"]["error"]["error"]

    assert error["type"] == "invalid_request_error"
    assert named in error["message"]
    assert batches.simulator.batches()[0]["failed"] == 1


def test_the_version_of_the_creation_counts_for_every_request(batches: MessageBatches) -> None:
    warm = [request(1, message(temperature=0.5))]
    batches.http.headers["anthropic-version"] = "2026-10-21"
    new = batches.results(batches.finish(warm))["r1"]
    batches.http.headers["anthropic-version"] = "2023-06-01"
    old = batches.results(batches.finish(warm))["r1"]

    assert (new["type"], old["type"]) == ("errored", "succeeded")


def test_a_batch_may_have_requests_for_several_models(batches: MessageBatches) -> None:
    models = {"r1": "claude-haiku-4-5", "r2": "claude-opus-4-8"}
    requests = [{"custom_id": name, "params": message(model=models[name])} for name in models]
    results = batches.results(batches.finish(requests))

    assert {name: results[name]["message"]["model"] for name in models} == {
        name: f"{model}-2026-01-01" for name, model in models.items()
    }


def test_a_cancelled_batch_delivers_what_was_done(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "stuck_batch", "after_lines": 3})
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_waiting()
    canceling = batches.cancel(batch_id)
    batch = batches.end(batch_id)

    assert canceling.json()["processing_status"] == "canceling"
    assert canceling.json()["cancel_initiated_at"] is not None
    assert batch["processing_status"] == "ended"
    assert batch["request_counts"] == {**NOTHING, "succeeded": 3, "canceled": 5}
    assert kinds(batches.results(batch)) == {"succeeded": 3, "canceled": 5}
    assert len(batches.simulator.paid()) == 3


def test_a_batch_can_be_seen_while_it_is_canceling(batches: MessageBatches) -> None:
    batches.simulator.set(batch_seconds=60)
    batches.simulator.behave({"kind": "stuck_batch", "at": "cancelling"})
    batch_id = batches.submit(REQUESTS)
    batches.cancel(batch_id)
    batches.simulator.until_waiting()
    seen = batches.look(batch_id)
    again = batches.cancel(batch_id)
    batches.simulator.release()

    assert seen["processing_status"] == "canceling"
    assert seen["request_counts"] == {**NOTHING, "processing": 8}
    assert (again.status_code, again.json()) == (200, seen)
    assert batches.end(batch_id)["request_counts"]["canceled"] == 8


@pytest.mark.parametrize("at", ["validating", "finalizing"])
def test_a_batch_has_no_other_status_while_it_runs(batches: MessageBatches, at: str) -> None:
    batches.simulator.behave({"kind": "stuck_batch", "at": at})
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_waiting()

    assert batches.look(batch_id)["processing_status"] == "in_progress"
    assert batches.look(batch_id)["request_counts"]["processing"] == 8


def test_a_batch_that_has_ended_cannot_be_cancelled(batches: MessageBatches) -> None:
    answer = batches.cancel(batches.finish(REQUESTS)["id"])

    assert (answer.status_code, error_of(answer)["type"]) == (400, "invalid_request_error")


def test_an_expired_batch_delivers_what_was_done(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "expired_batch", "after_lines": 2})
    batch = batches.finish(REQUESTS)

    assert batch["processing_status"] == "ended"
    assert batch["request_counts"] == {**NOTHING, "succeeded": 2, "expired": 6}
    assert kinds(batches.results(batch)) == {"succeeded": 2, "expired": 6}


def test_a_batch_expires_when_its_window_is_over(batches: MessageBatches) -> None:
    batches.simulator.set(window_seconds=0.05)
    batches.simulator.behave({"kind": "stuck_batch"})

    assert batches.finish(REQUESTS)["request_counts"]["expired"] == 8


def test_batches_are_listed_newest_first_in_pages(batches: MessageBatches) -> None:
    ids = [batches.submit([request(1)]) for _ in range(5)][::-1]

    def page(**query: object) -> tuple[list[str], bool]:
        answer = batches.list(**query).raise_for_status().json()
        found = [batch["id"] for batch in answer["data"]]
        ends = (found[0], found[-1]) if found else (None, None)
        assert (answer["first_id"], answer["last_id"]) == ends
        return found, answer["has_more"]

    assert page() == (ids, False)
    assert page(limit=2) == (ids[:2], True)
    assert page(limit=2, after_id=ids[1]) == (ids[2:4], True)
    assert page(limit=2, after_id=ids[3]) == (ids[4:], False)
    assert page(limit=2, before_id=ids[3]) == (ids[1:3], True)
    assert page(limit=2, before_id=ids[1]) == (ids[:1], False)
    assert page(before_id=ids[0]) == ([], False)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=x", "before_id=x"])
def test_a_page_that_does_not_exist_is_refused(batches: MessageBatches, query: str) -> None:
    assert batches.http.get(f"/v1/messages/batches?{query}").status_code == 400


def test_a_page_lies_behind_or_before_a_batch_but_not_both(batches: MessageBatches) -> None:
    batch_id = batches.submit([request(1)])

    assert batches.list(after_id=batch_id, before_id=batch_id).status_code == 400


def test_a_batch_that_has_ended_can_be_deleted(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "stuck_batch"})
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_waiting()
    early = batches.delete(batch_id)
    batches.simulator.release()
    batches.end(batch_id)
    deleted = batches.delete(batch_id)

    assert (early.status_code, error_of(early)["type"]) == (400, "invalid_request_error")
    assert deleted.json() == {"id": batch_id, "type": "message_batch_deleted"}
    assert batches.list().json()["data"] == []
    gone = [batches.get(batch_id), batches.get(batch_id, "/results"), batches.delete(batch_id)]
    assert [answer.status_code for answer in gone] == [404, 404, 404]
    (known,) = batches.simulator.batches()
    assert (known["id"], known["is_deleted"]) == (batch_id, True)


def test_another_key_is_another_workspace(batches: MessageBatches) -> None:
    batch = batches.finish(REQUESTS)
    stranger = {"x-api-key": "sk-stranger"}
    path = f"/v1/messages/batches/{batch['id']}"
    answers = [
        batches.http.get(path, headers=stranger),
        batches.http.get(f"{path}/results", headers=stranger),
        batches.http.post(f"{path}/cancel", headers=stranger),
        batches.http.delete(path, headers=stranger),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert batches.http.get("/v1/messages/batches", headers=stranger).json()["data"] == []


def test_results_come_whole_whatever_range_is_asked_for(batches: MessageBatches) -> None:
    batch = batches.finish(REQUESTS)
    ranged = batches.http.get(batch["results_url"], headers={"range": "bytes=0-9"})

    assert (ranged.status_code, ranged.content) == (200, batches.content(batch))
    assert ranged.headers["content-type"] == "application/x-jsonl"


def test_openai_and_its_likes_have_no_such_batches(batches: MessageBatches) -> None:
    batch_id = batches.submit(REQUESTS)
    for provider in ("openai", "groq"):
        base = batches.simulator.base_of(provider)
        headers = {"authorization": "Bearer sk-test-abcd"}
        listed = httpx.get(f"{base}/batches", headers=headers, trust_env=False)
        found = httpx.get(f"{base}/batches/{batch_id}", headers=headers, trust_env=False)
        path = httpx.get(f"{base}/messages/batches", headers=headers, trust_env=False)
        assert listed.json()["data"] == []
        assert (found.status_code, path.status_code) == (404, 404)


def test_the_control_endpoint_shows_the_batches_of_all_providers(batches: MessageBatches) -> None:
    failing = request(9, message("[[fail:400]]"))
    batch = batches.finish([*REQUESTS, failing])
    ask_anthropic(batches.http, "Question 1")
    (known,) = batches.simulator.batches()

    assert known["id"] == batch["id"]
    assert (known["provider"], known["key"]) == ("anthropic", "abcd")
    assert (known["status"], known["model"]) == ("completed", "claude-haiku-4-5")
    assert (known["total"], known["completed"], known["failed"]) == (9, 8, 1)
    assert (known["executed"], known["polls"]) == (9, 1)
    assert sorted(batches.simulator.paid().values()) == [1] * 7 + [2]
    assert batches.simulator.attempts()[digest(failing["params"])] == 1


def test_a_reset_forgets_these_batches_too(batches: MessageBatches) -> None:
    batches.simulator.behave({"kind": "stuck_batch"})
    batch_id = batches.submit(REQUESTS)
    batches.simulator.until_waiting()
    batches.simulator.reset()

    assert batches.simulator.batches() == []
    assert batches.get(batch_id).status_code == 404
