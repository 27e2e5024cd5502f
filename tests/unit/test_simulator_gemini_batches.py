"""Gemini's page of the simulator: its uploads, its batches and what it refuses of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import KEY
from tests.unit.adapters.documents import check_schema

Json = dict[str, Any]
_SPEC = "gemini-native.openapi.json"
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
UPLOAD = "/upload/v1beta/files"
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
FINISH = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}


@dataclass(frozen=True)
class Page:
    simulator: SimulatorClient
    http: httpx.Client

    def begin(self, size: int, **headers: str) -> httpx.Response:
        told = {**START, "x-goog-upload-header-content-length": str(size), **headers}
        return self.http.post(UPLOAD, json={"file": {"displayName": "in"}}, headers=told)

    def upload(self, content: bytes) -> str:
        url = self.begin(len(content)).headers["x-goog-upload-url"]
        file = self.http.post(url, content=content, headers=FINISH).raise_for_status().json()
        return str(file["file"]["name"])

    def create(self, *lines: Json, name: str = "b") -> httpx.Response:
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        body = {"batch": {"displayName": name, "inputConfig": {"fileName": self.upload(content)}}}
        return self.http.post(CREATE, json=body)

    def start(self, *lines: Json) -> str:
        return str(self.create(*lines).raise_for_status().json()["name"])

    def look(self, batch: str) -> Json:
        operation: Json = self.http.get(f"/v1beta/{batch}").raise_for_status().json()
        return operation

    def finish(self, *lines: Json) -> Json:
        batch = self.start(*lines)
        self.simulator.until_final(batch)
        return self.look(batch)

    def results(self, operation: Json) -> list[Json]:
        place = operation.get("response") or operation["metadata"]["output"]
        path = f"/download/v1beta/{place['responsesFile']}:download?alt=media"
        content = self.http.get(path).raise_for_status().content
        return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def page(simulator: SimulatorClient) -> Iterator[Page]:
    base_url, headers = simulator.base_of("gemini"), {"x-goog-api-key": KEY}
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        yield Page(simulator, http)


def line(number: int, text: str = "Hi") -> Json:
    contents = [{"role": "user", "parts": [{"text": f"{text} {number}"}]}]
    return {"key": f"k{number}", "request": {"contents": contents}}


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    error: Json = answer.json()["error"]
    assert error["code"] == status
    return str(error["message"])


# ---- Files


def test_a_file_is_known_by_its_name_until_it_is_deleted(page: Page) -> None:
    name = page.upload(b"one\n")
    file = page.http.get(f"/v1beta/{name}").json()
    assert (file["displayName"], file["sizeBytes"], file["state"]) == ("in", "4", "ACTIVE")
    assert page.http.delete(f"/v1beta/{name}").json() == {}
    assert name in refused(page.http.get(f"/v1beta/{name}"), 404)


def test_an_upload_has_the_length_that_was_announced(page: Page) -> None:
    url = page.begin(5).headers["x-goog-upload-url"]
    assert "length" in refused(page.http.post(url, content=b"four", headers=FINISH), 400)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x-goog-upload-protocol": "raw"}, "resumable"),
        ({"x-goog-upload-header-content-length": "many"}, "length"),
        ({"x-goog-upload-header-content-length": "2000000001"}, "exceeds the limit"),
        ({"x-goog-upload-command": "query"}, "in one piece"),
        ({**FINISH, "x-goog-upload-offset": "4"}, "in one piece"),
    ],
)
def test_an_upload_begins_as_documented(page: Page, headers: dict[str, str], words: str) -> None:
    assert words in refused(page.begin(4, **headers), 400)


@pytest.mark.parametrize("upload_id", ["", "nobody", "bnVsbA=="])
def test_bytes_of_no_upload_are_refused(page: Page, upload_id: str) -> None:
    url = f"{UPLOAD}?upload_id={upload_id}"
    assert "no such upload" in refused(page.http.post(url, content=b"x", headers=FINISH), 404)


def test_only_results_can_be_downloaded(page: Page) -> None:
    name = page.upload(b"one\n")
    refused(page.http.get(f"/download/v1beta/{name}:download?alt=media"), 400)


# ---- Batches


def test_a_batch_answers_every_line_under_its_key(page: Page) -> None:
    operation = page.finish(line(1), line(2, "[[fail:400]]"), line(3))
    metadata = operation["metadata"]
    assert (operation["done"], metadata["state"]) == (True, "BATCH_STATE_SUCCEEDED")
    assert (metadata["displayName"], metadata["model"]) == ("b", "models/gemini-2.5-flash")
    counts = {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"}
    assert metadata["batchStats"] == counts
    results = {result["key"]: result for result in page.results(operation)}
    assert "Hi 3" in results["k3"]["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert results["k2"]["error"]["code"] == 400
    (row,) = page.simulator.billed()
    assert (row["provider"], row["lane"], row["answers"]) == ("gemini", "batch", 2)


def test_a_batch_that_runs_has_neither_an_end_nor_a_response(page: Page) -> None:
    page.simulator.behave({"kind": "stuck_batch", "after_lines": 1})
    batch = page.start(line(1), line(2))
    page.simulator.until_settled()
    operation = page.look(batch)
    assert operation.keys() == {"name", "metadata"}
    assert operation["metadata"]["state"] == "BATCH_STATE_RUNNING"
    assert operation["metadata"]["batchStats"]["pendingRequestCount"] == "1"


def test_what_is_cancelled_shows_what_there_is_and_tells_the_rest_so(page: Page) -> None:
    page.simulator.behave({"kind": "stuck_batch", "after_lines": 1})
    batch = page.start(line(1), line(2))
    page.simulator.until_settled()
    assert page.http.post(f"/v1beta/{batch}:cancel").json() == {}
    page.simulator.until_final(batch)
    operation = page.look(batch)
    assert operation["error"]["code"] == 1
    codes = [result.get("error", {}).get("code") for result in page.results(operation)]
    assert sorted(codes, key=str) == [1, None]
    refused(page.http.post(f"/v1beta/{batch}:cancel"), 400)


def test_what_expires_has_no_results_and_is_not_billed(page: Page) -> None:
    page.simulator.behave({"kind": "expired_batch", "after_lines": 1})
    operation = page.finish(line(1), line(2))
    assert operation["metadata"]["state"] == "BATCH_STATE_EXPIRED"
    assert operation["error"]["code"] == 4
    assert not {"response", "output"} & {*operation, *operation["metadata"]}
    assert page.simulator.billed() == []


@pytest.mark.parametrize(
    "wrong", [{"key": "k2"}, {"request": {}}, {"key": 2, "request": {}}, [], "text"]
)
def test_a_line_that_is_none_fails_the_whole_batch(page: Page, wrong: Any) -> None:
    operation = page.finish(line(1), wrong)
    assert operation["metadata"]["state"] == "BATCH_STATE_FAILED"
    assert "Line 2" in operation["error"]["message"]


def test_a_file_that_is_deleted_before_it_is_read_fails_the_batch(page: Page) -> None:
    page.simulator.behave({"kind": "stuck_batch", "at": "validating"})
    batch = page.start(line(1))
    page.simulator.until_settled()
    file = page.look(batch)["metadata"]["inputConfig"]["fileName"]
    page.http.delete(f"/v1beta/{file}").raise_for_status()
    page.simulator.release()
    page.simulator.until_final(batch)
    assert "does not exist" in page.look(batch)["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "batch"),
        ({"batch": {}}, 400, "batch"),
        ({"batch": {"inputConfig": {"requests": {}}}}, 400, "inputConfig"),
        ({"batch": {"inputConfig": {"fileName": "files/none"}}}, 404, "files/none"),
    ],
)
def test_a_batch_is_of_a_file(page: Page, body: Json, status: int, words: str) -> None:
    assert words in refused(page.http.post(CREATE, json=body), status)


def test_a_model_that_nobody_knows_is_refused_at_once(page: Page) -> None:
    page.simulator.behave({"kind": "unknown_model", "match": {"model": "gemini-*"}})
    assert "is not found" in refused(page.create(line(1)), 404)


def test_a_full_queue_takes_no_batch(page: Page) -> None:
    page.simulator.behave({"kind": "queue_limit", "lines": 1})
    refused(page.create(line(1), line(2)), 429)


def test_batches_are_listed_by_pages_the_newest_first(page: Page) -> None:
    names = [page.start(line(number)) for number in range(5)]
    first = page.http.get("/v1beta/batches?pageSize=2").json()
    assert [operation["name"] for operation in first["operations"]] == names[:2:-1]
    query = f"pageSize=9&pageToken={first['nextPageToken']}"
    rest = page.http.get(f"/v1beta/batches?{query}").json()
    assert [operation["name"] for operation in rest["operations"]] == names[2::-1]
    assert "nextPageToken" not in rest
    refused(page.http.get("/v1beta/batches?pageToken=x"), 400)


def test_a_batch_is_its_keys_own_until_it_is_deleted(page: Page) -> None:
    batch = page.start(line(1))
    other = {"x-goog-api-key": "another key"}
    refused(page.http.get(f"/v1beta/{batch}", headers=other), 404)
    assert page.http.get("/v1beta/batches", headers=other).json() == {"operations": []}
    assert page.http.delete(f"/v1beta/{batch}").json() == {}
    refused(page.http.get(f"/v1beta/{batch}"), 404)


# ---- The published description


def test_files_are_as_described(page: Page) -> None:
    url = page.begin(4).headers["x-goog-upload-url"]
    check_schema(
        _SPEC, "MediaUploadResponse", page.http.post(url, content=b"one\n", headers=FINISH).json()
    )


@pytest.mark.parametrize(
    "fault", [{"kind": "stuck_batch"}, {"kind": "expired_batch"}, {"kind": "missing"}]
)
def test_operations_are_as_described(page: Page, fault: Json) -> None:
    page.simulator.behave(fault)
    batch = page.start(line(1), line(2))
    page.simulator.until_settled()
    operation = page.look(batch)
    check_schema(_SPEC, "LongRunningOperation", operation)
    _check("GenerateContentBatch", operation["metadata"])
    _check("GenerateContentBatchOutput", operation.get("response", {}))


def test_results_are_as_described(page: Page) -> None:
    for result in page.results(page.finish(line(1), line(2, "[[fail:400]]"))):
        kind = "response" if "response" in result else "error"
        names = {"response": "GenerateContentResponse", "error": "FileStatus"}
        _check(names[kind], result[kind])


def _check(name: str, value: Json) -> None:
    """Of JSON that has a type, which the description leaves out."""
    check_schema(_SPEC, name, {key: each for key, each in value.items() if key != "@type"})
