"""What of Gemini's batches no other provider's batches share."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from nightmail.batch import BatchError
from nightmail.errors import ProviderGarbled, ProviderRejected, ProviderThrottled
from nightmail.outcome import Kind, Outcome
from nightmail.part import OWED, Ending
from nightmail.providers.base import Phase, Progress
from nightmail.providers.registry import open_provider

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.adapters.documents import check_request
from tests.unit.native.cases import TAG, Json, Told, a_line_id, as_jsonl, intent, read
from tests.unit.native.gemini_samples import GEMINI

NAME = f"{TAG.batch_id}-{TAG.shard}-{TAG.round}-{TAG.attempt}"
_RPC = "type.googleapis.com/google.rpc"


def polled(operation: Json) -> Progress:
    provider, _ = GEMINI.scripted(httpx.Response(200, json=operation))
    return provider.poll("batches/b")


def outcome(**entry: Any) -> Outcome:
    (found,) = GEMINI.read(GEMINI.serving(as_jsonl([{"key": a_line_id(7), **entry}])))
    assert found.outcome
    return found.outcome


# ---- Uploads


def test_the_lines_are_announced_and_then_uploaded_in_one_piece() -> None:
    content = GEMINI.shard_input()
    provider, script = GEMINI.scripted(*GEMINI.preparing())
    assert provider.prepare(content, TAG) == "files/abc"
    begin, upload = script.requests
    assert json.loads(begin.content) == {"file": {"displayName": NAME}}
    assert begin.headers["x-goog-upload-protocol"] == "resumable"
    assert begin.headers["x-goog-upload-command"] == "start"
    assert begin.headers["x-goog-upload-header-content-length"] == str(content.size)
    assert upload.headers["x-goog-upload-command"] == "upload, finalize"
    assert upload.headers["x-goog-upload-offset"] == "0"
    assert upload.content == b"".join(content.read())


def test_the_bytes_and_the_key_go_to_our_own_address_whatever_place_is_told() -> None:
    provider, script = GEMINI.scripted(*GEMINI.preparing())
    provider.prepare(GEMINI.shard_input(), TAG)
    begin, upload = script.requests
    assert (begin.url.host, begin.url.path) == (upload.url.host, upload.url.path)
    assert upload.url.path == "/gemini/upload/v1beta/files"
    assert dict(upload.url.params) == {"upload_id": "u1", "upload_protocol": "resumable"}


@pytest.mark.parametrize("headers", [{}, {"x-goog-upload-url": "https://elsewhere.example/up"}])
def test_without_a_place_to_upload_to_nothing_is_sent(headers: dict[str, str]) -> None:
    provider, script = GEMINI.scripted(httpx.Response(200, headers=headers))
    with pytest.raises(ProviderGarbled, match="without a place to upload to"):
        provider.prepare(GEMINI.shard_input(), TAG)
    assert len(script.requests) == 1


@pytest.mark.parametrize("answer", [{}, {"file": None}, {"file": {}}, {"file": {"name": 5}}])
def test_a_file_without_a_name_was_not_uploaded(answer: Json) -> None:
    begun, _ = GEMINI.preparing()
    provider, _ = GEMINI.scripted(begun, httpx.Response(200, json=answer))
    with pytest.raises(ProviderGarbled):
        provider.prepare(GEMINI.shard_input(), TAG)


# ---- Submissions


def test_a_batch_is_of_one_model_and_bears_our_name() -> None:
    provider, script = GEMINI.scripted(httpx.Response(200, json=GEMINI.started("b")))
    provider.submit("files/abc", GEMINI.shard_input(), CHAT, TAG)
    (request,) = script.requests
    assert request.url.path == "/gemini/v1beta/models/gemini-2.5-flash:batchGenerateContent"
    config = {"displayName": NAME, "inputConfig": {"fileName": "files/abc"}}
    assert json.loads(request.content) == {"batch": config}


def test_what_starts_a_batch_is_as_described() -> None:
    provider, script = GEMINI.scripted(httpx.Response(200, json=GEMINI.started("b")))
    provider.submit("files/abc", GEMINI.shard_input(), CHAT, TAG)
    path = "/v1beta/models/{model}:batchGenerateContent"
    check_request("gemini-native.openapi.json", path, json.loads(script.requests[0].content))


def test_a_wrong_key_is_a_400_that_waiting_does_not_heal() -> None:
    reason = {"@type": f"{_RPC}.ErrorInfo", "reason": "API_KEY_INVALID"}
    error = {"code": 400, "message": f"Bad key {KEY}.", "details": [reason]}
    provider, _ = GEMINI.scripted(httpx.Response(400, json={"error": error}))
    with pytest.raises(ProviderRejected) as caught:
        provider.submit("files/abc", GEMINI.shard_input(), CHAT, TAG)
    assert caught.value.message == "gemini answered 400: Bad key ***."
    assert caught.value.http_status == 502  # it is no fault of the caller's


def test_a_full_queue_tells_in_its_details_when_to_come_back() -> None:
    delay = {"@type": f"{_RPC}.RetryInfo", "retryDelay": "37s"}
    error = {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": [delay]}
    provider, _ = GEMINI.scripted(httpx.Response(429, json={"error": error}))
    with pytest.raises(ProviderThrottled) as caught:
        provider.submit("files/abc", GEMINI.shard_input(), CHAT, TAG)
    assert caught.value.retry_after_seconds == 37


def test_a_list_whose_pages_never_end_is_left() -> None:
    page = httpx.Response(200, json={"operations": [], "nextPageToken": "same"})
    provider, script = GEMINI.scripted(page, page)
    with pytest.raises(ProviderGarbled):
        provider.find(intent())
    assert len(script.requests) == 2


def test_an_address_with_the_version_is_the_same_address(simulator: SimulatorClient) -> None:
    base = f"{simulator.base_of('gemini')}/v1beta/"
    provider = open_provider(GEMINI.deployment(api_base=base), KEY)
    content = GEMINI.shard_input()
    identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    simulator.until_final(identity)
    assert provider.find(intent(since=0)) == [identity]
    assert len(read(provider, ids=provider.poll(identity).output_ids)) == 3


# ---- Progress


def test_an_operation_that_is_done_has_ended_whatever_its_state_is_called() -> None:
    running = GEMINI.batch(Told(word="JOB_STATE_POLISHING"))
    assert polled(running).phase is Phase.RUNNING
    done = {**running, "done": True, "response": {"responsesFile": "files/r"}}
    progress = polled(done)
    assert (progress.ending, progress.output_ids) == (Ending.COMPLETED, ["files/r"])
    assert polled({**running, "done": True, "error": {"code": 13}}).ending is Ending.FAILED


def test_a_batch_that_failed_says_why() -> None:
    failed = GEMINI.batch(Told(ending=Ending.FAILED))
    error = {"code": 3, "message": f"Line 3 is odd, {KEY}.", "status": "INVALID_ARGUMENT"}
    progress = polled({**failed, "error": error})
    assert progress.ending is Ending.FAILED
    assert progress.errors == [BatchError(code="INVALID_ARGUMENT", message="Line 3 is odd, ***.")]
    (silent,) = polled({**failed, "error": {"code": 3}}).errors
    assert (silent.code, silent.message) == ("provider_error", "Gemini gave no reason.")


@pytest.mark.parametrize("ending", [Ending.CANCELLED, Ending.EXPIRED])
def test_the_error_of_what_did_not_finish_says_nothing_new(ending: Ending) -> None:
    operation = GEMINI.batch(Told(ending=ending, has_results=False))
    progress = polled({**operation, "error": {"code": 1, "message": "Cancelled."}})
    assert (progress.ending, progress.errors, progress.output_ids) == (ending, [], [])


@pytest.mark.parametrize(
    ("told", "count"), [("12", 12), (12, 12), ("-1", 0), ("1e3", 0), ("9" * 20, 0), (None, 0)]
)
def test_counts_are_strings_of_digits(told: object, count: int) -> None:
    operation = GEMINI.batch(Told(left=3))
    operation["metadata"]["batchStats"] = {"successfulRequestCount": told}
    assert polled(operation).completed == count


# ---- Results


@pytest.mark.parametrize(
    ("code", "status"),
    [(3, 400), (5, 404), (7, 403), (8, 429), (13, 500), (14, 503), (400, 400), (503, 503)],
)
def test_the_code_of_a_line_is_a_status_or_a_number_of_rpc(code: int, status: int) -> None:
    found = outcome(error={"code": code, "message": "It says why."})
    assert found.kind is Kind.REFUSED
    assert found.response
    assert found.response["status_code"] == status
    message = found.response["body"]["error"]["message"]
    assert message == f"gemini answered {status}: It says why."


@pytest.mark.parametrize("code", [None, "14", 0, 77, 1000])
def test_an_error_of_an_unknown_code_is_the_servers(code: object) -> None:
    found = outcome(error={"code": code, "message": "No."})
    assert found.response
    assert found.response["status_code"] == 500


@pytest.mark.parametrize("code", [1, 499])
def test_a_line_that_was_cancelled_has_failed(code: int) -> None:
    found = outcome(error={"code": code, "message": "Cancelled."})
    assert (found.kind, found.error) == (Kind.FAILED, OWED[Ending.CANCELLED])


@pytest.mark.parametrize("entry", [{}, {"response": None}, {"response": []}, {"error": {}}])
def test_a_line_without_an_answer_has_failed(entry: Json) -> None:
    found = outcome(**entry)
    assert found.kind is Kind.FAILED
    assert found.error
    assert found.error["message"] == "The provider gave no answer and no reason."


@pytest.mark.parametrize("response", [{}, {"candidates": []}, {"candidates": [5]}])
def test_a_response_that_is_no_answer_has_failed(response: Json) -> None:
    found = outcome(response=response)
    assert found.error
    assert found.error["code"] == "provider_garbled"
