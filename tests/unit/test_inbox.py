"""The S3 door, inward: one put makes one batch, and what can't be taken is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from nightmail import wiring
from nightmail.batch import Batch, BatchStatus
from nightmail.door import Drop
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import Segment
from nightmail.steps.receive_inbox import receive_inbox
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore, Stat
from nightmail.stores.table import Table

from functions.receive_inbox.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import LambdaContext
from tests.unit.samples import NOW

BUCKET = ENVIRONMENT["BUCKET_NAME"]
KEY = "inbox/alice/trips/questions.jsonl"
REFUSAL = "outbox/alice/trips/questions.error.json"
LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}}'
LIMIT = 10_000_000

pytestmark = pytest.mark.usefixtures("aws")


def drop(
    content: bytes = LINE, key: str = KEY, metadata: dict[str, str] | None = None, put: int = 1
) -> dict[str, Any]:
    """Put an object; answers the event of it. `put` numbers the puts of one key."""
    etag = boto3.client("s3").put_object(
        Bucket=BUCKET, Key=key, Body=content, Metadata=metadata or {}
    )["ETag"]
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": f"2026-11-21T10:00:0{put}Z",
        "detail": {
            "bucket": {"name": BUCKET},
            "object": {
                "key": key,
                "size": len(content),
                "etag": etag.strip('"'),
                "sequencer": f"{put:016X}",
            },
            "reason": "PutObject",
        },
    }


def receive(event: dict[str, Any]) -> str | None:
    answer: dict[str, Any] = handler(event, LambdaContext())
    batch_id: str | None = answer["batch_id"]
    return batch_id


def only_batch(batches: BatchStore, owner: str = "alice") -> Batch:
    (batch,) = batches.list(owner)
    return batch


def outbox() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="outbox/").get("Contents", [])
    return [entry["Key"] for entry in found]


def refusal(objects: ObjectStore, key: str = REFUSAL) -> dict[str, Any]:
    assert outbox() == [key]
    error: dict[str, Any] = json.loads(objects.get(key))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_dropped_file_becomes_a_batch_of_its_owner(
    batches: BatchStore, files: FileStore, objects: ObjectStore
) -> None:
    batch_id = receive(drop())
    batch = only_batch(batches)
    assert batch.id == batch_id
    assert batch.status == BatchStatus.VALIDATING
    assert (batch.endpoint, batch.completion_window) == ("/v1/embeddings", "24h")
    assert batch.expires_at == batch.created_at + 86_400
    assert batch.inbox is not None
    assert batch.inbox.name == "trips/questions.jsonl"
    file = files.get("alice", batch.input_file_id, batch.created_at)
    assert (file.filename, file.purpose, file.bytes) == ("questions.jsonl", "batch", len(LINE))
    assert file.is_joined
    assert b"".join(objects.chunks(file.segments)) == LINE
    assert outbox() == []


def test_ids_sort_by_the_time_of_the_put(batches: BatchStore) -> None:
    receive(drop(put=2))
    receive(drop(key="inbox/alice/other.jsonl", put=1))
    names = [batch.inbox.name for batch in batches.list("alice") if batch.inbox]
    assert names == ["trips/questions.jsonl", "other.jsonl"]


@pytest.mark.parametrize("first", [b"\n \r\n" + LINE + b"\r\n" + LINE, LINE + b"\n", LINE])
def test_the_endpoint_is_that_of_the_first_line(first: bytes, batches: BatchStore) -> None:
    receive(drop(first))
    assert only_batch(batches).endpoint == "/v1/embeddings"


def test_a_first_line_of_a_megabyte_is_read_to_its_end(batches: BatchStore) -> None:
    body = json.dumps({"body": {"input": "é" * 400_000}, "url": "/v1/embeddings"})
    receive(drop(body.encode() + b"\n" + LINE))
    assert only_batch(batches).endpoint == "/v1/embeddings"


def test_metadata_of_the_object_says_how_to_run_it(batches: BatchStore) -> None:
    metadata = {
        "endpoint": "/v1/responses",
        "completion-window": "2d",
        "metadata": '{"customer": "7"}',
        "nightmail": '{"on_deadline": "finish_direct"}',
        "output-expires-after": "7200",
    }
    receive(drop(b"not looked at", metadata=metadata))
    batch = only_batch(batches)
    assert batch.expires_at == batch.created_at + 2 * 86_400
    assert batch.on_deadline == "finish_direct"
    assert batch.endpoint == "/v1/responses"
    assert batch.metadata == {"customer": "7"}
    assert batch.output_expires_after is not None
    assert batch.output_expires_after.seconds == 7200


def test_a_sidecar_says_how_to_run_it_and_the_objects_own_metadata_wins(
    batches: BatchStore, objects: ObjectStore
) -> None:
    sidecar = {"endpoint": "/v1/responses", "metadata": {"from": "sidecar"}, "model": "gpt-hint"}
    objects.put("inbox/alice/trips/questions.json", json.dumps(sidecar).encode())
    objects.put("inbox/alice/trips/questions.jsonx", b"no sidecar of this file")
    receive(drop(metadata={"metadata": '{"from": "object"}'}))
    batch = only_batch(batches)
    assert batch.endpoint == "/v1/responses"
    assert batch.metadata == {"from": "object"}
    assert batch.deployment_hint == "gpt-hint"


@pytest.mark.parametrize("name", ["questions.json", "sub/", "questions.error.json"])
def test_sidecars_and_folders_are_no_requests(name: str, batches: BatchStore) -> None:
    assert receive(drop(b"{}", key=f"inbox/alice/{name}")) is None
    assert list(batches.list("alice")) == []
    assert outbox() == []


@pytest.mark.parametrize("owner", ["a", "A_b.c-9", "o" * 64])
def test_any_well_formed_owner_may_drop(owner: str, batches: BatchStore) -> None:
    receive(drop(key=f"inbox/{owner}/q.jsonl"))
    assert only_batch(batches, owner).owner == owner


# ---- Notifications come twice, late and in any order


def test_a_repeated_notification_makes_no_second_batch(batches: BatchStore) -> None:
    event = drop()
    first = receive(event)
    batch = only_batch(batches)
    batches.save(batch.move_to(BatchStatus.IN_PROGRESS, NOW))
    assert receive(event) == first
    assert only_batch(batches).status == BatchStatus.IN_PROGRESS


def test_the_same_content_put_anew_is_a_new_batch(batches: BatchStore) -> None:
    first, second = receive(drop(put=1)), receive(drop(put=2))
    assert first != second
    assert len(list(batches.list("alice"))) == 2


def test_what_was_overwritten_is_left_to_its_own_notification(
    batches: BatchStore, objects: ObjectStore
) -> None:
    old = drop(LINE, put=1)
    new = drop(LINE + b"\n" + LINE, put=2)
    newest = receive(new)
    assert receive(old) is None
    assert only_batch(batches).id == newest
    assert outbox() == []


def test_what_was_taken_away_again_is_no_batch_and_no_error(
    batches: BatchStore, objects: ObjectStore
) -> None:
    event = drop()
    objects.delete([KEY])
    assert receive(event) is None
    assert list(batches.list("alice")) == []
    assert outbox() == []


class ChangingObjects(ObjectStore):
    """After the first look at an object, somebody puts another in its place."""

    def stat(self, key: str) -> Stat:
        stat = super().stat(key)
        if key == KEY:
            self.put(KEY, b"something else")
        return stat


def test_an_object_that_changes_under_our_hands_is_dropped_without_a_trace(
    batches: BatchStore, files: FileStore
) -> None:
    event = drop(metadata={"endpoint": "/v1/embeddings"})
    changing = replace(wiring.stores(), objects=ChangingObjects(boto3.client("s3"), BUCKET))
    assert receive_inbox(Drop.of_event(event), changing, LIMIT, NOW) is None
    assert list(batches.list("alice")) == []
    assert list(files.list("alice", NOW)) == []


class DyingStore(BatchStore):
    """The process ends before the batch is written; or right after, which nobody hears of."""

    def __init__(self, table: Table, *, written: bool) -> None:
        super().__init__(table)
        self._written = written

    def create(self, batch: Batch) -> None:
        if self._written:
            super().create(batch)
        raise StorageUnavailable("lost")


@pytest.mark.parametrize("written", [False, True])
def test_what_a_killed_function_began_its_repetition_ends_once(
    *, written: bool, table: Table, objects: ObjectStore, files: FileStore, batches: BatchStore
) -> None:
    event = drop()
    dying = replace(wiring.stores(), batches=DyingStore(table, written=written))
    with pytest.raises(StorageUnavailable):
        receive_inbox(Drop.of_event(event), dying, LIMIT, NOW)
    assert receive(event) == only_batch(batches).id
    (file,) = files.list("alice", NOW)
    assert file.id == only_batch(batches).input_file_id


# ---- What can't be taken


@pytest.mark.parametrize(
    ("key", "answer", "words"),
    [
        ("inbox/alice/q.csv", "outbox/alice/q.csv.error.json", "Must be .jsonl"),
        ("inbox/alice/q", "outbox/alice/q.error.json", "Must be .jsonl"),
        ("inbox/q.jsonl", "outbox/q.error.json", "folder named for its owner"),
        ("inbox/alice/.jsonl", "outbox/alice/.error.json", "folder named for its owner"),
        ("inbox/al ice/q.jsonl", "outbox/al ice/q.error.json", "is no owner"),
        (f"inbox/{'o' * 65}/q.jsonl", f"outbox/{'o' * 65}/q.error.json", "is no owner"),
        ("inbox//q.jsonl", "outbox//q.error.json", "is no owner"),
    ],
)
def test_a_name_that_cannot_be_taken_leaves_an_error(
    key: str, answer: str, words: str, objects: ObjectStore
) -> None:
    assert receive(drop(key=key)) is None
    assert words in refusal(objects, answer)["message"]


def test_the_longest_key_of_s3_leaves_an_error_that_s3_takes() -> None:
    key = "inbox/alice/" + "é" * 503 + ".jsonl"
    assert len(key.encode()) == 1024
    assert receive(drop(key=key)) is None
    (answer,) = outbox()
    assert answer.startswith("outbox/alice/é")
    assert answer.endswith(".error.json")
    assert len(answer.encode()) <= 1024


def test_a_key_of_a_thousand_bytes_is_taken_and_its_answers_fit(batches: BatchStore) -> None:
    key = "inbox/alice/" + "q" * 982 + ".jsonl"
    assert len(key) == 1000
    assert receive(drop(key=key)) == only_batch(batches).id


@pytest.mark.parametrize(
    "content", [b"[1]", b"no json", b"\xef\xbb\xbf" + LINE, b'{"body": {}}', b"\xff"]
)
def test_an_endpoint_that_nobody_gives_leaves_an_error(
    content: bytes, objects: ObjectStore
) -> None:
    assert receive(drop(content)) is None
    error = refusal(objects)
    assert (error["param"], error["code"]) == ("endpoint", "missing_required_parameter")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_told_so(content: bytes, objects: ObjectStore) -> None:
    assert receive(drop(content)) is None
    assert refusal(objects)["code"] == "empty_file"


@pytest.mark.parametrize("name", ["..", "."])
def test_an_owner_of_dots_alone_is_refused(name: str, batches: BatchStore) -> None:
    assert receive(drop(key=f"inbox/{name}/x.jsonl")) is None
    assert list(batches.list(name)) == []


@pytest.mark.parametrize(
    ("metadata", "param", "code"),
    [
        ({"endpoint": "/v1/videos"}, "endpoint", "invalid_value"),
        ({"completion-window": "8d"}, "completion_window", "invalid_value"),
        ({"nightmail": "[]"}, None, None),
        ({"nightmail": '{"strict": "yes"}'}, "nightmail.strict", "invalid_type"),
        ({"metadata": "{"}, None, None),
        ({"metadata": "[]"}, None, None),
        ({"metadata": '{"tags": []}'}, "metadata.tags", "invalid_type"),
        ({"output-expires-after": "soon"}, "output_expires_after.seconds", "invalid_type"),
        (
            {"output-expires-after": "60"},
            "output_expires_after.seconds",
            "integer_below_min_value",
        ),
        (
            {"output-expires-after": "9" * 1000},
            "output_expires_after.seconds",
            "integer_above_max_value",
        ),
    ],
)
def test_wrong_metadata_leaves_an_error_that_names_it(
    metadata: dict[str, str], param: str | None, code: str | None, objects: ObjectStore
) -> None:
    assert receive(drop(metadata=metadata)) is None
    error = refusal(objects)
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(
    "sidecar", [b"{", b"[]", b"\xff", b'{"nightmail": {"x": 1}}', b"1" * 70_000]
)
def test_a_wrong_sidecar_leaves_an_error(
    sidecar: bytes, objects: ObjectStore, batches: BatchStore
) -> None:
    objects.put("inbox/alice/trips/questions.json", sidecar)
    assert receive(drop()) is None
    assert refusal(objects)["message"]
    assert list(batches.list("alice")) == []


def test_a_file_over_the_limit_leaves_an_error_and_nothing_else(
    objects: ObjectStore, files: FileStore, batches: BatchStore
) -> None:
    event = drop()
    assert receive_inbox(Drop.of_event(event), wiring.stores(), len(LINE) - 1, NOW) is None
    error = refusal(objects)
    assert str(len(LINE)) in error["message"]
    assert error["code"] == "request_too_large"
    assert list(files.list("alice", NOW)) == []
    assert list(objects.segments("files/")) == []


def test_the_copy_is_the_batchs_own_whatever_happens_to_the_inbox(
    objects: ObjectStore, files: FileStore, batches: BatchStore
) -> None:
    receive(drop())
    objects.delete([KEY])
    file = files.get("alice", only_batch(batches).input_file_id, NOW)
    assert list(objects.chunks(file.segments)) == [LINE]
    with pytest.raises(NotFound):
        list(objects.chunks([Segment(key=KEY, size=1)]))


def test_tags_of_a_dropped_object_stay_behind(objects: ObjectStore, batches: BatchStore) -> None:
    event = drop()
    client = boto3.client("s3")
    tags = {"TagSet": [{"Key": "team", "Value": "x"}]}
    client.put_object_tagging(Bucket=BUCKET, Key=KEY, Tagging=tags)  # type: ignore[arg-type]
    receive(event)
    copied = f"files/alice/{only_batch(batches).input_file_id}"
    assert client.get_object_tagging(Bucket=BUCKET, Key=copied)["TagSet"] == []
