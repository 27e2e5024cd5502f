"""What is written to the table is told to EventBridge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from nightmail.batch import BatchStatus, InboxOrigin, RequestCounts
from nightmail.file import Segment, StoredFile
from nightmail.steps.publish_changes import events_of, publish_changes
from nightmail.stores.batches import BatchStore
from nightmail.stores.events import MOST_BYTES, Event, EventBus
from nightmail.stores.files import FileStore
from nightmail.stores.parts import PartStore
from nightmail.stores.stream import Change

from functions.publish_changes.handler import handler
from tests.unit.gateway import LambdaContext
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_shard
from tests.unit.stream import TableStream


@pytest.fixture
def stream(aws: None) -> TableStream:
    return TableStream()


def sample_file(**changes: Any) -> StoredFile:
    fields = {
        "id": "file-1",
        "owner": "alice",
        "bytes": 3,
        "created_at": NOW,
        "filename": "a.jsonl",
        "purpose": "batch",
        "segments": [Segment(key="files/alice/file-1", size=3)],
    }
    return StoredFile.model_validate({**fields, **changes})


def parts(count: int) -> list[Segment]:
    return [Segment(key=f"uploads/alice/u/{number:05d}", size=1) for number in range(count)]


def told(stream: TableStream) -> list[Event]:
    return [event for record in stream.records() for event in events_of(Change.of(record))]


def test_a_new_batch_is_told_with_no_status_before(
    stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch(metadata={"customer": "é"}))
    assert told(stream) == [
        Event(
            "Batch Status Changed",
            {
                "v": 1,
                "id": BATCH_ID,
                "owner": "alice",
                "status": "validating",
                "previous_status": None,
                "endpoint": "/v1/chat/completions",
                "created_at": NOW,
                "request_counts": {"total": 0, "completed": 0, "failed": 0},
                "output_file_id": None,
                "error_file_id": None,
                "metadata": {"customer": "é"},
            },
        )
    ]


def test_every_change_of_status_is_told_and_no_other_change(
    stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch())
    batch = batches.get("alice", BATCH_ID)
    batch = batches.save(batch.move_to(BatchStatus.IN_PROGRESS, NOW))
    batch = batches.save(batch.model_copy(update={"model": "gpt-5-mini"}))
    batch = batches.save(batch.move_to(BatchStatus.FINALIZING, NOW))
    counts = RequestCounts(total=3, completed=2, failed=1)
    files = {"output_file_id": "file-o", "error_file_id": "file-e"}
    batches.save(batch.move_to(BatchStatus.COMPLETED, NOW, counts=counts, **files))
    details = [event.detail for event in told(stream)]
    assert [(detail["previous_status"], detail["status"]) for detail in details] == [
        (None, "validating"),
        ("validating", "in_progress"),
        ("in_progress", "finalizing"),
        ("finalizing", "completed"),
    ]
    assert details[-1]["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert (details[-1]["output_file_id"], details[-1]["error_file_id"]) == ("file-o", "file-e")


def test_a_batch_that_came_by_the_inbox_says_so(stream: TableStream, batches: BatchStore) -> None:
    batches.create(sample_batch(inbox=InboxOrigin(name="a/b.jsonl", etag="e")))
    (event,) = told(stream)
    assert event.detail["inbox"] == {"name": "a/b.jsonl"}


def test_shards_and_idempotency_keys_are_nobodys_business(
    stream: TableStream, batches: BatchStore, parts: PartStore
) -> None:
    batches.create_once(sample_batch(), "key", "digest", NOW)
    parts.plan(sample_shard())
    assert len(stream.records()) == 3
    assert [event.detail_type for event in told(stream)] == ["Batch Status Changed"]


def test_a_file_is_told_when_it_appears_and_when_its_segments_change(
    stream: TableStream, files: FileStore
) -> None:
    files.create(sample_file(segments=parts(2)))
    file = files.replace(files.get("alice", "file-1", NOW).model_copy(update={"md5": "d"}))
    file = files.replace(file.model_copy(update={"join_asked_at": NOW}))
    files.replace(file.model_copy(update={"segments": sample_file().segments}))
    naming = {"v": 1, "owner": "alice", "file_id": "file-1"}
    assert told(stream) == [
        Event("File Created", {**naming, "segments": 2, "joined": False}),
        Event("File Created", {**naming, "segments": 2, "joined": False}),
        Event("File Created", {**naming, "segments": 1, "joined": True}),
    ]


def test_a_removed_file_is_told_with_the_objects_that_it_leaves(
    stream: TableStream, files: FileStore
) -> None:
    files.create(sample_file(segments=parts(2)))
    files.delete("alice", "file-1")
    detail = {
        "v": 1,
        "owner": "alice",
        "file_id": "file-1",
        "keys": ["uploads/alice/u/00000", "uploads/alice/u/00001"],
    }
    assert told(stream)[-1] == Event("File Removed", detail)


def test_every_object_of_a_removed_file_is_told_however_many_there_are() -> None:
    long = [Segment(key=f"uploads/{'o' * 64}/{'u' * 39}/{n:037d}", size=1) for n in range(2500)]
    file = sample_file(segments=long).model_dump(mode="json")
    key = Change.of(
        {
            "eventName": "REMOVE",
            "dynamodb": {"Keys": {"pk": {"S": "OWNER#alice"}, "sk": {"S": "FILE#file-1"}}},
        }
    ).key
    events = events_of(Change("REMOVE", key, file, None))
    assert [key for event in events for key in event.detail["keys"]] == [s.key for s in long]
    assert all(event.size < MOST_BYTES for event in events)


# ---- The bus


class FakeBus:
    """EventBridge that refuses entries, or whole calls, by their details' `id`."""

    def __init__(self, refused: str = "", broken: str = "") -> None:
        self._refused = refused
        self._broken = broken
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        ids = [json.loads(entry["Detail"])["id"] for entry in Entries]
        self.calls.append(Entries)
        if self._broken in ids:
            raise boto3.client("events").exceptions.InternalException({"Error": {}}, "PutEvents")
        answers = [{"ErrorCode": "ThrottlingException"} if i == self._refused else {} for i in ids]
        return {"FailedEntryCount": ids.count(self._refused), "Entries": answers}


@pytest.fixture
def bus() -> Callable[[FakeBus], EventBus]:
    return lambda fake: EventBus(fake, "default")  # type: ignore[arg-type]


def numbered(count: int, **detail: Any) -> list[Event]:
    return [Event("T", {"id": str(number), **detail}) for number in range(count)]


def test_events_go_ten_at_a_time(bus: Callable[[FakeBus], EventBus]) -> None:
    fake = FakeBus()
    assert bus(fake).put(numbered(25)) == []
    assert [len(call) for call in fake.calls] == [10, 10, 5]
    assert fake.calls[0][0] == {
        "EventBusName": "default",
        "Source": "nightmail",
        "DetailType": "T",
        "Detail": '{"id":"0"}',
    }


def test_no_call_carries_more_than_eventbridge_takes(bus: Callable[[FakeBus], EventBus]) -> None:
    fake = FakeBus()
    assert bus(fake).put(numbered(7, big="x" * 100_000)) == []
    assert [len(call) for call in fake.calls] == [2, 2, 2, 1]


def test_nothing_to_tell_is_no_call(bus: Callable[[FakeBus], EventBus]) -> None:
    fake = FakeBus()
    assert bus(fake).put([]) == []
    assert fake.calls == []


def test_entries_that_were_not_taken_are_named(bus: Callable[[FakeBus], EventBus]) -> None:
    assert bus(FakeBus(refused="12")).put(numbered(25)) == [12]


def test_a_call_that_failed_leaves_the_other_calls_alone(
    aws: None, bus: Callable[[FakeBus], EventBus]
) -> None:
    fake = FakeBus(broken="12")
    assert bus(fake).put(numbered(25)) == list(range(10, 20))
    assert len(fake.calls) == 3


def test_only_the_records_that_were_not_told_come_again(
    stream: TableStream, batches: BatchStore, bus: Callable[[FakeBus], EventBus]
) -> None:
    for number in range(3):
        batches.create(sample_batch(id=f"batch_{number}"))
    records = stream.records()
    failed = publish_changes(records, bus(FakeBus(refused="batch_1")))
    assert failed == [records[1]["dynamodb"]["SequenceNumber"]]


def test_an_unreadable_record_holds_up_no_other(
    stream: TableStream, batches: BatchStore, bus: Callable[[FakeBus], EventBus]
) -> None:
    batches.create(sample_batch(id="batch_0"))
    batches.create(sample_batch(id="batch_1"))
    records = stream.records()
    records[0]["dynamodb"]["NewImage"] = {"v": {"N": "99"}, "status": {"S": "validating"}}
    fake = FakeBus()
    assert publish_changes([{}, *records], bus(fake)) == []
    assert [json.loads(entry["Detail"])["id"] for entry in fake.calls[0]] == ["batch_1"]


def test_an_event_reaches_the_rules_of_the_bus(stream: TableStream, batches: BatchStore) -> None:
    queue = boto3.client("sqs")
    url = queue.create_queue(QueueName="told")["QueueUrl"]
    events = boto3.client("events")
    pattern = {"source": ["nightmail"], "detail-type": ["Batch Status Changed"]}
    events.put_rule(Name="told", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:us-east-1:123456789012:told"
    events.put_targets(Rule="told", Targets=[{"Id": "told", "Arn": arn}])
    batches.create(sample_batch())
    assert handler({"Records": stream.records()}, LambdaContext()) == {"batchItemFailures": []}
    (message,) = queue.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["detail"]["id"] == BATCH_ID
