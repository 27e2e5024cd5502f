"""The provider simulator: the life of its batches."""

from __future__ import annotations

import pytest

from local.simulator.answers import digest
from tests.simulated import CHAT, Json, Provider, chat, line

LINES = [line(number) for number in range(1, 9)]


def ids_of(results: list[Json]) -> list[str]:
    return [result["custom_id"] for result in results]


def test_a_batch_answers_each_line_with_that_lines_digest_in_another_order(
    provider: Provider,
) -> None:
    batch = provider.finish(LINES)
    results = provider.results(batch["output_file_id"])

    assert sorted(ids_of(results)) == ids_of(LINES)
    assert ids_of(results) != ids_of(LINES)
    bodies = {one["custom_id"]: one["body"] for one in LINES}
    for result in results:
        text = result["response"]["body"]["choices"][0]["message"]["content"]
        assert text.endswith(f"[sim {digest(bodies[result['custom_id']])}]")


def test_two_lines_are_never_answered_in_the_order_of_the_input(provider: Provider) -> None:
    batch = provider.finish(LINES[:2])

    assert ids_of(provider.results(batch["output_file_id"])) == ["line-2", "line-1"]


def test_a_finished_batch_has_counts_usage_model_and_moments(provider: Provider) -> None:
    failing = line(9, chat("[[fail:400]]"))
    batch = provider.finish([*LINES, failing], metadata={"tag": "x"})
    bodies = [one["response"]["body"] for one in provider.results(batch["output_file_id"])]

    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 9, "completed": 8, "failed": 1}
    assert batch["usage"]["total_tokens"] == sum(body["usage"]["total_tokens"] for body in bodies)
    assert batch["model"] == "gpt-5-mini-2026-01-01"
    assert batch["metadata"] == {"tag": "x"}
    assert batch["expires_at"] == batch["created_at"] + 24 * 3600
    moments = [f"{moment}_at" for moment in ("in_progress", "finalizing", "completed")]
    assert all(batch[moment] >= batch["created_at"] for moment in moments)
    unset = [f"{moment}_at" for moment in ("failed", "expired", "cancelling", "cancelled")]
    assert all(batch[moment] is None for moment in unset)


def test_a_line_that_fails_stands_in_the_error_file_with_its_answer(provider: Provider) -> None:
    batch = provider.finish([line(1), line(2, chat("[[fail:429]]"))])
    (failed,) = provider.results(batch["error_file_id"])

    assert failed["custom_id"] == "line-2"
    assert failed["error"] is None
    assert failed["response"]["status_code"] == 429
    assert failed["response"]["body"]["error"]["code"] == "rate_limit_exceeded"


def test_a_file_that_would_be_empty_does_not_exist(provider: Provider) -> None:
    good = provider.finish([line(1)])
    bad = provider.finish([line(1, chat("[[fail:500]]"))])

    assert good["error_file_id"] is None
    assert bad["output_file_id"] is None
    assert (bad["status"], bad["request_counts"]["failed"]) == ("completed", 1)


def test_result_files_are_files_of_the_batch(provider: Provider) -> None:
    expiry = {"anchor": "created_at", "seconds": 3600}
    batch = provider.finish([line(1)], output_expires_after=expiry)
    file = provider.http.get(f"/files/{batch['output_file_id']}").json()

    assert (file["purpose"], file["filename"]) == ("batch_output", f"{batch['id']}_output.jsonl")
    assert file["expires_at"] == file["created_at"] + 3600


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/embeddings", {"model": "e", "input": "text", "dimensions": 3}),
        ("/v1/completions", {"model": "c", "prompt": "text"}),
        ("/v1/responses", {"model": "r", "input": "text"}),
        ("/v1/moderations", {"model": "m", "input": "text"}),
    ],
)
def test_a_batch_runs_other_endpoints_too(provider: Provider, url: str, body: Json) -> None:
    batch = provider.finish([line(1, body, url=url)], endpoint=url)

    assert batch["request_counts"] == {"total": 1, "completed": 1, "failed": 0}
    assert provider.simulator.paid() == {digest(body): 1}


def test_an_endpoint_that_the_simulator_does_not_answer_fails_its_lines(
    provider: Provider,
) -> None:
    url = "/v1/images/generations"
    batch = provider.finish([line(1, {"model": "i", "prompt": "x"}, url=url)], endpoint=url)

    assert batch["request_counts"]["failed"] == 1


def test_a_cancelled_batch_delivers_what_was_done(provider: Provider) -> None:
    provider.simulator.behave({"kind": "stuck_batch", "after_lines": 3})
    batch_id = provider.submit(LINES)
    provider.simulator.until_waiting()

    assert provider.look(batch_id)["request_counts"]["completed"] == 3
    cancelling = provider.http.post(f"/batches/{batch_id}/cancel")
    batch = provider.end(batch_id)

    assert (cancelling.status_code, cancelling.json()["status"]) == (200, "cancelling")
    assert batch["status"] == "cancelled"
    assert batch["cancelling_at"] <= batch["cancelled_at"]
    done = provider.results(batch["output_file_id"])
    left = provider.results(batch["error_file_id"])
    assert (len(done), len(left)) == (3, 5)
    assert sorted(ids_of(done + left)) == ids_of(LINES)
    assert {one["error"]["code"] for one in left} == {"batch_cancelled"}
    assert all(one["response"] is None for one in left)
    assert len(provider.simulator.attempts()) == 3


def test_a_batch_cancelled_while_validating_runs_nothing(provider: Provider) -> None:
    provider.simulator.behave({"kind": "stuck_batch", "at": "validating"})
    batch_id = provider.submit(LINES)
    provider.simulator.until_waiting()
    provider.http.post(f"/batches/{batch_id}/cancel").raise_for_status()
    batch = provider.end(batch_id)

    assert (batch["status"], batch["in_progress_at"]) == ("cancelled", None)
    assert len(provider.results(batch["error_file_id"])) == len(LINES)


def test_a_batch_can_be_seen_while_it_is_cancelling_and_finalizing(provider: Provider) -> None:
    provider.simulator.behave({"kind": "stuck_batch", "at": "finalizing"})
    batch_id = provider.submit(LINES)
    provider.simulator.until_waiting()
    assert provider.look(batch_id)["status"] == "finalizing"
    assert provider.look(batch_id)["output_file_id"] is None
    provider.simulator.release()
    assert provider.end(batch_id)["status"] == "completed"

    provider.simulator.set(batch_seconds=60)
    provider.simulator.behave({"kind": "stuck_batch", "at": "cancelling"})
    batch_id = provider.submit(LINES)
    provider.http.post(f"/batches/{batch_id}/cancel").raise_for_status()
    provider.simulator.until_waiting()
    assert provider.look(batch_id)["status"] == "cancelling"
    provider.simulator.release()
    assert provider.end(batch_id)["status"] == "cancelled"


def test_a_final_batch_cannot_be_cancelled_but_a_cancelled_one_again(provider: Provider) -> None:
    completed = provider.finish(LINES)["id"]
    answer = provider.http.post(f"/batches/{completed}/cancel")

    assert answer.status_code == 409
    message = "Cannot cancel a batch with status 'completed'."
    assert answer.json()["error"]["message"] == message

    provider.simulator.behave({"kind": "stuck_batch"})
    cancelled = provider.submit(LINES)
    provider.http.post(f"/batches/{cancelled}/cancel")
    provider.simulator.until_final(cancelled)
    assert provider.http.post(f"/batches/{cancelled}/cancel").json()["status"] == "cancelled"


def test_an_expired_batch_delivers_what_was_done(provider: Provider) -> None:
    provider.simulator.behave({"kind": "expired_batch", "after_lines": 2})
    batch = provider.finish(LINES)

    assert (batch["status"], batch["completed_at"]) == ("expired", None)
    assert batch["expired_at"] is not None
    assert len(provider.results(batch["output_file_id"])) == 2
    left = provider.results(batch["error_file_id"])
    assert {one["error"]["code"] for one in left} == {"batch_expired"}


def test_a_batch_expires_when_its_window_is_over(provider: Provider) -> None:
    provider.simulator.set(window_seconds=0.05)
    provider.simulator.behave({"kind": "stuck_batch", "after_lines": 2})

    assert provider.finish(LINES)["status"] == "expired"


def test_a_batch_that_takes_time_ends_too(provider: Provider) -> None:
    provider.simulator.set(batch_seconds=0.1)

    assert provider.finish(LINES)["status"] == "completed"


def test_an_unknown_batch_is_not_found(provider: Provider) -> None:
    for answer in (provider.http.get("/batches/x"), provider.http.post("/batches/x/cancel")):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "No batch found with id 'x'."


def test_batches_are_listed_newest_first_in_pages(provider: Provider) -> None:
    ids = [provider.submit(LINES) for _ in range(3)]
    first = provider.http.get("/batches", params={"limit": 2}).json()
    second = provider.http.get("/batches", params={"limit": 2, "after": first["last_id"]}).json()

    assert [batch["id"] for batch in first["data"]] == [ids[2], ids[1]]
    assert [batch["id"] for batch in second["data"]] == [ids[0]]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert provider.http.get("/batches?limit=101").status_code == 400


def test_the_control_endpoint_shows_how_many_lines_each_batch_ran(provider: Provider) -> None:
    provider.finish([*LINES, line(9, chat("[[fail:400]]"))])
    (batch,) = provider.simulator.batches()

    assert (batch["executed"], batch["endpoint"]) == (9, CHAT)
    assert len(provider.simulator.paid()) == 8


def test_a_reset_ends_and_forgets_everything(provider: Provider) -> None:
    provider.simulator.behave({"kind": "stuck_batch"})
    batch_id = provider.submit(LINES)
    provider.simulator.until_waiting()
    provider.simulator.reset()

    assert provider.simulator.batches() == []
    assert provider.simulator.waiting() == []
    assert provider.simulator.struck() == []
    assert provider.simulator.calls() == []
    assert provider.http.get(f"/batches/{batch_id}").status_code == 404
