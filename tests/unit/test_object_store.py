"""The bucket: objects, files of several segments, writers that stop and go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightmail.errors import NotFound, StorageUnavailable, WriteConflict
from nightmail.file import Segment
from nightmail.stores import multipart
from nightmail.stores.multipart import PART_BYTES, tails_prefix
from nightmail.stores.objects import CHUNK_BYTES, ObjectStore

from tests.unit.conftest import ENVIRONMENT
from tests.unit.memory import MemoryS3

BUCKET = ENVIRONMENT["BUCKET_NAME"]


def whole(objects: ObjectStore, key: str) -> bytes:
    return objects.get(key)


def test_a_small_object_comes_back(objects: ObjectStore) -> None:
    assert objects.put("a/b", b"text", "text/plain") == Segment(key="a/b", size=4)
    assert objects.get("a/b") == b"text"


def test_what_is_not_there_is_not_found(objects: ObjectStore) -> None:
    for read in (objects.get, objects.stat):
        with pytest.raises(NotFound, match="a/b"):
            read("a/b")
    with pytest.raises(NotFound):
        list(objects.chunks([Segment(key="a/b", size=1)]))
    with pytest.raises(NotFound):
        objects.copy("a/b", "c")


def test_only_the_first_is_put_where_there_must_be_none(objects: ObjectStore) -> None:
    objects.put_if_absent("a", b"1")

    with pytest.raises(WriteConflict):
        objects.put_if_absent("a", b"2")

    assert objects.get("a") == b"1"


def test_a_bucket_that_does_not_answer_is_a_storage_error(aws: None) -> None:
    missing = ObjectStore(boto3.client("s3"), "no-such-bucket")

    with pytest.raises(StorageUnavailable) as refusal:
        missing.put("a", b"")

    assert "no-such-bucket" not in refusal.value.message


def test_stat_tells_size_etag_and_metadata(objects: ObjectStore) -> None:
    boto3.client("s3").put_object(
        Bucket=BUCKET, Key="a", Body=b"text", Metadata={"endpoint": "/v1/x"}
    )

    stat = objects.stat("a")

    assert (stat.size, stat.metadata) == (4, {"endpoint": "/v1/x"})
    assert stat.etag == hashlib.md5(b"text", usedforsecurity=False).hexdigest()


def test_a_copy_is_made_of_the_object_that_was_meant(objects: ObjectStore) -> None:
    objects.put("a", b"first")
    etag = objects.stat("a").etag

    assert objects.copy("a", "b", if_match=etag) == Segment(key="b", size=5)
    objects.put("a", b"second")
    with pytest.raises(WriteConflict):
        objects.copy("a", "b", if_match=etag)

    assert objects.get("b") == b"first"


def test_objects_of_a_prefix_are_listed_over_all_pages(objects: ObjectStore) -> None:
    for number in range(1003):
        objects.put(f"some/{number:04}", b"x")
    objects.put("something", b"x")

    keys = [segment.key for segment in objects.segments("some/")]

    assert keys == [f"some/{number:04}" for number in range(1003)]
    objects.delete([*keys, "some/never-there"])
    assert list(objects.segments("some")) == [Segment(key="something", size=1)]
    objects.delete([])


def test_a_delete_that_s3_refuses_for_one_key_is_an_error(aws: None) -> None:
    client = boto3.session.Session().client("s3")
    with Stubber(client) as stub:
        stub.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "InternalError"}]})
        with pytest.raises(StorageUnavailable):
            ObjectStore(client, BUCKET).delete(["a"])


# Segments as one file.


def parts(objects: ObjectStore, *contents: bytes) -> list[Segment]:
    return [objects.put(f"part/{number}", content) for number, content in enumerate(contents)]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(contents=st.lists(st.binary(max_size=6), max_size=5), data=st.data())
def test_segments_read_from_any_byte_are_the_rest_of_the_whole(
    objects: ObjectStore, contents: list[bytes], data: st.DataObject
) -> None:
    segments = parts(objects, *contents)
    expected = b"".join(contents)
    start = data.draw(st.integers(0, len(expected) + 2))

    assert b"".join(objects.chunks(segments, start)) == expected[start:]


def test_a_reader_holds_a_chunk_at_a_time(objects: ObjectStore) -> None:
    segments = parts(objects, bytes(3 * CHUNK_BYTES + 1), bytes(5))

    sizes = [len(chunk) for chunk in objects.chunks(segments)]

    assert sum(sizes) == 3 * CHUNK_BYTES + 6
    assert max(sizes) <= CHUNK_BYTES


def test_a_reader_opens_an_object_only_when_it_comes_to_it(objects: ObjectStore) -> None:
    first, second = parts(objects, b"ab", b"cd")
    objects.delete([second.key])

    chunks = objects.chunks([first, second])

    assert next(chunks) == b"ab"
    with pytest.raises(NotFound):
        next(chunks)


def test_the_md5_is_that_of_the_whole(objects: ObjectStore) -> None:
    expected = hashlib.md5(b"abcd", usedforsecurity=False).hexdigest()

    assert objects.md5(parts(objects, b"ab", b"cd")) == expected


# Writers.


def blocks(seed: int, count: int) -> Iterator[bytes]:
    """Blocks of a megabyte and a bit that are all different."""
    for number in range(count):
        yield hashlib.sha256(f"{seed}/{number}".encode()).digest() * (32 * 1024 + 1)


def test_a_small_stream_becomes_one_object_without_parts(objects: ObjectStore) -> None:
    writer = objects.writer("a", "text/plain")
    writer.write(b"ab")
    writer.write(b"")
    writer.write(b"c")

    assert writer.complete() == Segment(key="a", size=3)
    assert objects.get("a") == b"abc"


def test_an_empty_stream_becomes_an_empty_object(objects: ObjectStore) -> None:
    assert objects.writer("a").complete() == Segment(key="a", size=0)
    assert objects.get("a") == b""


def test_a_long_stream_becomes_one_object_of_many_parts(objects: ObjectStore) -> None:
    expected = b"".join(blocks(1, 20))
    writer = objects.writer("a")
    for block in blocks(1, 20):
        writer.write(block)
        assert len(writer._buffer) < PART_BYTES

    assert writer.complete().size == len(expected)
    assert whole(objects, "a") == expected


@pytest.mark.parametrize("count", [0, 3, 8, 17])
def test_a_writer_goes_on_in_another_process_where_it_stopped(
    objects: ObjectStore, count: int
) -> None:
    expected = b"".join([*blocks(1, count), *blocks(2, 10)])
    writer = objects.writer("a")
    for block in blocks(1, count):
        writer.write(block)
    cursor = writer.suspend().model_dump_json()

    resumed = objects.resume(type(writer.suspend()).model_validate_json(cursor))
    assert resumed.size == writer.size
    for block in blocks(2, 10):
        resumed.write(block)

    assert resumed.complete().size == len(expected)
    assert whole(objects, "a") == expected


def test_a_stop_may_be_resumed_twice_because_the_first_resumption_died(
    objects: ObjectStore,
) -> None:
    writer = objects.writer("a")
    for block in blocks(1, 11):
        writer.write(block)
    cursor = writer.suspend()

    died = objects.resume(cursor)
    for block in blocks(3, 12):
        died.write(block)
    died.suspend()
    again = objects.resume(cursor)
    for block in blocks(2, 12):
        again.write(block)
    again.complete()

    assert whole(objects, "a") == b"".join([*blocks(1, 11), *blocks(2, 12)])


@pytest.mark.parametrize("count", [8, 11])
def test_completing_again_after_a_crash_finds_the_object(objects: ObjectStore, count: int) -> None:
    writer = objects.writer("a")
    for block in blocks(1, count):
        writer.write(block)
    cursor = writer.suspend()
    first = objects.resume(cursor).complete()

    assert objects.resume(cursor).complete() == first
    assert whole(objects, "a") == b"".join(blocks(1, count))


def test_completing_something_else_under_the_same_name_is_not_taken_for_done(
    objects: ObjectStore,
) -> None:
    writer = objects.writer("a")
    for block in blocks(1, 9):
        writer.write(block)
    cursor = writer.suspend()
    boto3.client("s3").abort_multipart_upload(
        Bucket=BUCKET, Key="a", UploadId=cursor.upload_id or ""
    )
    objects.put("a", b"something else")

    with pytest.raises(NotFound):
        objects.resume(cursor).complete()


def test_a_stopped_writer_leaves_its_tail_under_work(objects: ObjectStore) -> None:
    writer = objects.writer("files/a/1")
    writer.write(b"abc")

    cursor = writer.suspend()

    assert [segment.key for segment in objects.segments(tails_prefix("files/a/1"))] == [
        cursor.tail_key
    ]
    assert list(objects.segments("files/")) == []


def test_objects_are_appended_without_being_read(objects: ObjectStore) -> None:
    segments = parts(objects, *(bytes([n]) * (5 * 1024**2 + n) for n in range(3)), b"end")
    writer = objects.writer("a")
    for segment in segments[:2]:
        writer.append(segment)
    resumed = objects.resume(writer.suspend())
    for segment in segments[2:]:
        resumed.append(segment)

    assert resumed.complete() == Segment(key="a", size=sum(segment.size for segment in segments))
    assert whole(objects, "a") == b"".join(objects.chunks(segments))


def test_an_object_that_is_gone_cannot_be_appended(objects: ObjectStore) -> None:
    with pytest.raises(NotFound):
        objects.writer("a").append(Segment(key="gone", size=1))


# Presigned URLs.


def test_a_url_for_reading_carries_its_headers_and_its_life(objects: ObjectStore) -> None:
    url = urlsplit(objects.presign_get("files/a/1", 900, disposition='attachment; filename="x"'))

    query = parse_qs(url.query)
    assert (url.hostname, url.path) == (f"{BUCKET}.s3.us-east-1.amazonaws.com", "/files/a/1")
    assert query["response-content-disposition"] == ['attachment; filename="x"']
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


def test_a_url_for_writing_binds_its_user_to_no_header(objects: ObjectStore) -> None:
    query = parse_qs(urlsplit(objects.presign_put("uploads/a/u/p", 60)).query)

    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert not [name for name in query if "checksum" in name.lower()]


def test_parts_grow_so_that_an_object_of_any_size_has_few_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 1)
    objects = ObjectStore(cast("Any", MemoryS3()), "bucket")
    writer = objects.writer("a")
    content = bytes(range(250)) * 40
    writer.write(content)
    assert len(writer.suspend().etags) == 4000
    writer.complete()
    assert objects.get("a") == content
