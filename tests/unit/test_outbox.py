"""The S3 door, outward: the results lie beside each other, the status last."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from nightmail import wiring
from nightmail.batch import Batch, BatchError, InboxOrigin
from nightmail.errors import StorageUnavailable
from nightmail.file import Segment, StoredFile, object_key
from nightmail.payloads import BatchTask
from nightmail.steps.deliver_outbox import deliver_outbox
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore

from functions.deliver_outbox.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import LambdaContext
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_shard

OUTPUT = "outbox/alice/a/q.output.jsonl"
ERRORS = "outbox/alice/a/q.error.jsonl"
REFUSAL = "outbox/alice/a/q.error.json"
STATUS = "outbox/alice/a/q.status.json"
LATER_ID = "batch_" + "f" * 32
ORIGIN = InboxOrigin(name="a/q.jsonl", etag="e")

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def ended(batches: BatchStore, files: FileStore, objects: ObjectStore) -> Batch:
    """A completed batch that came by the inbox, with both files."""
    for file_id, content in (("file-o", b"output"), ("file-e", b"errors")):
        keep_file(files, objects, file_id, content)
    return keep_batch(batches, output_file_id="file-o", error_file_id="file-e")


def keep_file(files: FileStore, objects: ObjectStore, file_id: str, content: bytes) -> None:
    segment = objects.put(object_key("alice", file_id), content)
    file = StoredFile(
        id=file_id,
        owner="alice",
        bytes=segment.size,
        created_at=NOW,
        filename=file_id,
        purpose="batch_output",
        segments=[segment],
    )
    files.create(file)


def keep_batch(batches: BatchStore, **changes: Any) -> Batch:
    counts = {"total": 2, "completed": 1, "failed": 1}
    fields = {"status": "completed", "inbox": ORIGIN, "shards": 1, "counts": counts}
    batch = sample_batch(**{**fields, **changes})
    batches.create(batch)
    return batch


def deliver(batch_id: str = BATCH_ID, owner: str = "alice") -> list[str]:
    event = {
        "source": "nightmail",
        "detail-type": "Batch Status Changed",
        "detail": {"v": 1, "id": batch_id, "owner": owner, "status": "completed"},
    }
    answer: dict[str, Any] = handler(event, LambdaContext())
    delivered: list[str] = answer["delivered"]
    return delivered


def outbox(objects: ObjectStore) -> dict[str, bytes]:
    return {entry.key: objects.get(entry.key) for entry in objects.segments("outbox/")}


def test_results_and_status_lie_under_the_name_of_the_dropped_file(
    ended: Batch, objects: ObjectStore, parts: PartStore
) -> None:
    parts.plan(sample_shard())
    assert deliver() == [OUTPUT, ERRORS, STATUS]
    laid = outbox(objects)
    assert set(laid) == {OUTPUT, ERRORS, STATUS}
    assert (laid[OUTPUT], laid[ERRORS]) == (b"output", b"errors")
    status = json.loads(laid[STATUS])
    assert (status["id"], status["object"], status["status"]) == (BATCH_ID, "batch", "completed")
    assert status["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert len(status["nightmail"]["shards"]) == 1


def test_delivering_again_writes_the_same(ended: Batch, objects: ObjectStore) -> None:
    deliver()
    first = outbox(objects)
    assert deliver() == [OUTPUT, ERRORS, STATUS]
    assert outbox(objects) == first


class BreakingObjects(ObjectStore):
    """Breaks when the error file is copied."""

    def copy(self, source: str, target: str, *, if_match: str | None = None) -> Segment:
        if target == ERRORS:
            raise StorageUnavailable("away")
        return super().copy(source, target, if_match=if_match)


def test_there_is_no_status_before_everything_else_is_there(
    ended: Batch, objects: ObjectStore
) -> None:
    objects_that_break = BreakingObjects(boto3.client("s3"), ENVIRONMENT["BUCKET_NAME"])
    breaking = replace(wiring.stores(), objects=objects_that_break)
    with pytest.raises(StorageUnavailable):
        deliver_outbox(BatchTask(owner="alice", batch_id=BATCH_ID), breaking, NOW)
    assert set(outbox(objects)) == {OUTPUT}
    assert deliver() == [OUTPUT, ERRORS, STATUS]


def test_a_batch_without_failures_has_no_error_file(
    batches: BatchStore, files: FileStore, objects: ObjectStore
) -> None:
    keep_file(files, objects, "file-o", b"output")
    keep_batch(batches, output_file_id="file-o")
    assert deliver() == [OUTPUT, STATUS]


def test_a_failed_batch_leaves_its_errors_and_its_status(
    batches: BatchStore, objects: ObjectStore
) -> None:
    errors = [
        BatchError(code="invalid_url", message="Wrong.", param="url", line=3),
        BatchError(code="invalid_json_line", message="No JSON.", line=4),
    ]
    keep_batch(batches, status="failed", errors=errors)
    assert deliver() == [REFUSAL, STATUS]
    laid = outbox(objects)
    assert json.loads(laid[REFUSAL])["error"]["code"] == "invalid_url"
    assert len(json.loads(laid[STATUS])["errors"]["data"]) == 2


def test_a_result_that_its_owner_removed_meanwhile_is_left_out(
    ended: Batch, files: FileStore, objects: ObjectStore
) -> None:
    files.delete("alice", "file-o")
    objects.delete([object_key("alice", "file-e")])
    assert deliver() == [STATUS]


def test_answers_of_an_earlier_batch_of_that_name_do_not_stay_behind(
    ended: Batch, batches: BatchStore, files: FileStore, objects: ObjectStore
) -> None:
    deliver()
    objects.put(REFUSAL, b"from the first try")
    objects.put("outbox/alice/a/q.output.jsonl.mine", b"not ours")
    keep_file(files, objects, "file-new", b"new output")
    keep_batch(batches, id=LATER_ID, output_file_id="file-new")
    assert deliver(LATER_ID) == [OUTPUT, STATUS]
    laid = outbox(objects)
    assert set(laid) == {OUTPUT, STATUS, "outbox/alice/a/q.output.jsonl.mine"}
    assert laid[OUTPUT] == b"new output"


def test_a_newer_refusal_is_not_deleted_by_an_older_batch(
    ended: Batch, objects: ObjectStore
) -> None:
    newer = json.dumps({"id": LATER_ID, "error": {}}).encode()
    objects.put(REFUSAL, newer)
    assert deliver() == []
    assert outbox(objects) == {REFUSAL: newer}


def test_a_late_event_of_an_earlier_batch_does_not_replace_a_newer_answer(
    ended: Batch, batches: BatchStore, objects: ObjectStore
) -> None:
    keep_batch(batches, id=LATER_ID)
    deliver(LATER_ID)
    assert deliver(BATCH_ID) == []
    assert json.loads(outbox(objects)[STATUS])["id"] == LATER_ID


@pytest.mark.parametrize(
    "changes", [{"inbox": None}, {"status": "in_progress"}, {"status": "cancelling"}]
)
def test_what_came_otherwise_or_has_not_ended_is_not_delivered(
    changes: dict[str, Any], batches: BatchStore, objects: ObjectStore
) -> None:
    keep_batch(batches, **changes)
    assert deliver() == []
    assert outbox(objects) == {}


def test_an_unknown_batch_is_not_delivered(ended: Batch, objects: ObjectStore) -> None:
    assert deliver("batch_x") == []
    assert deliver(BATCH_ID, owner="bob") == []
    assert outbox(objects) == {}
