"""`POST /batches/{id}/retry`, through the function that serves it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail import wiring
from nightmail.api.batches import Batches, Once
from nightmail.api.retries import Retries
from nightmail.batch import Batch
from nightmail.errors import StatusConflict, WriteConflict
from nightmail.file import Segment, StoredFile
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.parts import PartStore
from nightmail.stores.table import Key, Table

from functions.batches.handler import handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.samples import BATCH_ID, NOW, sample_batch

FINAL = ["completed", "failed", "expired", "cancelled"]

pytestmark = pytest.mark.usefixtures("aws")


def retry(
    body: dict[str, Any] | str | None = None,
    *,
    owner: str = "alice",
    key: str | None = None,
    batch_id: str = BATCH_ID,
) -> Answer:
    content = json.dumps(body) if isinstance(body, dict) else body
    headers = {"Idempotency-Key": key} if key else None
    path = f"/batches/{batch_id}/retry"
    return ask(handler, proxy_event("POST", path, body=content, headers=headers, owner=owner))


def kept_file(file_id: str) -> StoredFile:
    return StoredFile(
        id=file_id,
        owner="alice",
        bytes=2,
        created_at=NOW,
        expires_at=wiring.now() + 3600,
        filename="x.jsonl",
        purpose="batch",
        segments=[Segment(key=f"files/alice/{file_id}", size=2)],
    )


@pytest.fixture
def parent(batches: BatchStore, files: FileStore) -> Batch:
    """A batch that has ended with some lines failed; both of its files are there."""
    parent = sample_batch(
        status="completed",
        chunks=1,
        counts={"total": 3, "completed": 1, "failed": 2},
        error_file_id="file-errors",
        metadata={"customer": "7"},
        strict=False,
        on_deadline="finish_direct",
        lane="direct",
    )
    batches.create(parent)
    for file_id in ("file-in", "file-errors"):
        files.create(kept_file(file_id))
    return parent


def changed(batches: BatchStore, parent: Batch, **changes: Any) -> None:
    batches.save(Batch.model_validate({**parent.model_dump(), **changes}))


def refused(answer: Answer, status: int) -> str:
    assert answer.status == status
    assert answer.error["type"] == "invalid_request_error"
    message: str = answer.error["message"]
    return message


def test_a_retry_is_a_new_batch_that_names_its_parent(parent: Batch, batches: BatchStore) -> None:
    answer = retry()

    assert answer.status == 200
    assert answer.json["status"] == "validating"
    assert answer.json["nightmail"]["retry_of"] == parent.id
    child = batches.get("alice", answer.json["id"])
    assert (child.input_file_id, child.metadata) == ("file-in", {"customer": "7"})
    assert (child.on_deadline, child.lane) == ("finish_direct", "direct")
    assert child.expires_at == child.created_at + 86_400


def ended(batches: BatchStore, batch_id: str, **more: Any) -> Batch:
    """A retry that has ended, with lines that failed again."""
    fields = {"status": "completed", "chunks": 1, "error_file_id": "file-again", **more}
    changed(batches, batches.get("alice", batch_id), **fields)
    return batches.get("alice", batch_id)


def test_a_parent_knows_its_retries_and_stays_as_it_was(
    parent: Batch, batches: BatchStore, files: FileStore
) -> None:
    files.create(kept_file("file-again"))
    first = ended(batches, retry().json["id"])
    second = retry().json["id"]

    assert [child.id for child in batches.retries(parent)] == [first.id, second]
    assert batches.get("alice", parent.id) == parent
    assert [child.id for child in batches.retries(first)] == [second]


def test_a_second_retry_runs_what_the_first_could_not(
    parent: Batch, batches: BatchStore, files: FileStore
) -> None:
    files.create(kept_file("file-again"))
    first = ended(batches, retry().json["id"])
    second = ended(batches, retry().json["id"])

    assert second.retry_of == first.id
    assert retry(batch_id=first.id).json["nightmail"]["retry_of"] == second.id


def test_while_a_retry_runs_there_is_no_other(parent: Batch, batches: BatchStore) -> None:
    running = retry().json["id"]
    answer = retry()

    assert running in refused(answer, 409)
    assert answer.headers["x-should-retry"] == "false"
    assert [child.id for child in batches.retries(parent)] == [running]


def test_what_retries_have_answered_is_not_run_again(parent: Batch, batches: BatchStore) -> None:
    first = ended(batches, retry().json["id"], error_file_id=None)

    message = refused(retry(), 409)
    assert message.startswith("Nothing is left to retry")
    assert first.id in message
    assert "without failed requests" in refused(retry(batch_id=first.id), 409)


@pytest.mark.parametrize("of_itself", [False, True])
def test_a_retry_of_which_nothing_was_run_stands_in_nobodys_way(
    of_itself: bool, parent: Batch, batches: BatchStore
) -> None:
    refusal = ended(batches, retry().json["id"], status="failed", chunks=0, error_file_id=None)
    answer = retry(batch_id=refusal.id if of_itself else parent.id)

    assert answer.json["nightmail"]["retry_of"] == refusal.id
    assert batches.latest_run(refusal) == parent


class Overtaken(Batches):
    """Another request comes first, between the checks and the write."""

    def begin(self, batch: Batch, once: Once | None = None) -> dict[str, Any]:
        faster = batch.model_copy(update={"id": "batch_faster"})
        super().begin(faster)
        return super().begin(batch, once)


@pytest.mark.parametrize("key", [None, "k"])
def test_of_two_retries_at_the_same_time_one_is_refused(
    key: str | None, parent: Batch, batches: BatchStore, parts: PartStore
) -> None:
    slower = Retries(Overtaken(batches, parts, wiring.now), wiring.stores(), wiring.now)

    with pytest.raises(StatusConflict, match="batch_faster"):
        slower.create("alice", parent.id, {}, idempotency_key=key)
    assert [child.id for child in batches.retries(parent)] == ["batch_faster"]


def test_a_retry_may_be_retried(parent: Batch, batches: BatchStore) -> None:
    child = batches.get("alice", retry().json["id"])
    changed(batches, child, status="failed", chunks=1, error_file_id="file-errors")
    grandchild = retry(batch_id=child.id).json

    assert grandchild["nightmail"]["retry_of"] == child.id


def test_what_the_body_says_is_not_as_it_was(parent: Batch, batches: BatchStore) -> None:
    body = {
        "completion_window": "7d",
        "metadata": {"again": "1"},
        "nightmail": {"on_deadline": "expire"},
    }
    child = batches.get("alice", retry(body).json["id"])

    assert child.expires_at == child.created_at + 7 * 86_400
    assert (child.metadata, child.on_deadline) == ({"again": "1"}, "expire")


@pytest.mark.parametrize("body", ["[]", "{", '{"endpoint": "/v1/embeddings"}'])
def test_a_body_that_is_wrong_is_refused(body: str, parent: Batch, batches: BatchStore) -> None:
    refused(retry(body), 400)
    assert list(batches.retries(parent)) == []


def test_a_dry_retry_is_no_retry_that_the_parent_knows(
    parent: Batch, batches: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(wiring, "pause", pauses.append)
    answer = retry({"nightmail": {"dry_run": True}})

    assert answer.json["nightmail"]["dry_run"]
    assert pauses
    assert list(batches.retries(parent)) == []


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
def test_a_batch_that_has_not_ended_cannot_be_retried(
    status: str, parent: Batch, batches: BatchStore
) -> None:
    changed(batches, parent, status=status)
    answer = retry()

    assert status in refused(answer, 409)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("status", FINAL)
def test_a_batch_that_has_ended_in_any_way_can_be_retried(
    status: str, parent: Batch, batches: BatchStore
) -> None:
    changed(batches, parent, status=status)

    assert retry().status == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error_file_id": None}, "without failed requests"),
        ({"error_file_id": None, "chunks": 0, "status": "failed"}, "nothing was run"),
        ({"error_file_id": None, "chunks": 0, "dry_run": True}, "dry run"),
    ],
)
def test_where_nothing_can_be_retried_the_reason_is_told(
    changes: dict[str, Any], words: str, parent: Batch, batches: BatchStore
) -> None:
    changed(batches, parent, **changes)

    assert words in refused(retry(), 409)
    assert list(batches.retries(parent)) == []


@pytest.mark.parametrize("gone", ["file-in", "file-errors"])
def test_without_its_files_it_cannot_be_retried(gone: str, parent: Batch, files: FileStore) -> None:
    files.delete("alice", gone)

    message = refused(retry(), 404)
    assert f"'{gone}'" in message
    assert "new batch" in message


def test_an_unknown_batch_and_another_owners_answer_the_same(parent: Batch) -> None:
    answers = [retry(owner="bob"), retry(batch_id="batch_x"), retry(batch_id="x" * 5000)]

    for answer in answers:
        assert refused(answer, 404).startswith("No batch found with id '")


def test_one_key_makes_one_retry_also_when_the_files_are_gone(
    parent: Batch, files: FileStore, batches: BatchStore
) -> None:
    first = retry(key="k").json
    files.delete("alice", "file-errors")
    again = retry(key="k").json

    assert again["id"] == first["id"]
    assert len(list(batches.retries(parent))) == 1


def test_a_key_stands_for_one_parent_and_one_body(parent: Batch, batches: BatchStore) -> None:
    batches.create(parent.model_copy(update={"id": "batch_other"}))
    retry(key="k")

    for answer in (
        retry({"completion_window": "1h"}, key="k"),
        retry(batch_id="batch_other", key="k"),
    ):
        assert (answer.status, answer.error["code"]) == (409, "idempotency_conflict")


def test_a_retry_and_its_mark_are_written_both_or_neither(
    parent: Batch, batches: BatchStore, table: Table
) -> None:
    taken = parent.model_copy(update={"retry_of": "batch_other"})
    with pytest.raises(WriteConflict):
        batches.create(taken)

    assert table.get(Key("BATCH#batch_other", "RETRY")) is None
