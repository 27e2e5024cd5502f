"""join_file: a file in parts becomes one object, however often and wherever it is stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import boto3
import pytest
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import FileStatus, Segment, StoredFile
from nightmail.payloads import Next
from nightmail.steps.join_file import Joiner, cursor_key
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

from functions.join_file.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import LambdaContext

NOW = 1_795_226_400
OWNER = "admin"
TARGET = "files/admin/file-1"
MEGABYTE = 1024 * 1024

# Parts of the gateway's size are read and written again; parts straight to S3 are copied by S3.
SMALL_PARTS = [4 * MEGABYTE, 4 * MEGABYTE, 3, 4 * MEGABYTE, 1]
BIG_PARTS = [5 * MEGABYTE, 8 * MEGABYTE, 5 * MEGABYTE, 1]


def never() -> bool:
    return False


def after(calls: int) -> Callable[[], bool]:
    """Time that is up from the given call on."""
    counted = count(1)
    return lambda: next(counted) >= calls


def given(files: FileStore, objects: ObjectStore, sizes: list[int], **fields: Any) -> StoredFile:
    """A file of parts of these sizes, each of bytes of its own."""
    parts = [
        objects.put(f"uploads/admin/upload_1/part_{number}", bytes([number % 251]) * size)
        for number, size in enumerate(sizes)
    ]
    file = StoredFile(
        id="file-1",
        owner=OWNER,
        bytes=sum(sizes),
        created_at=NOW,
        filename="a.bin",
        purpose="evals",
        segments=parts,
        upload_id="upload_1",
    )
    file = StoredFile.model_validate(file.model_dump() | fields)
    files.create(file)
    return file


def content(sizes: list[int]) -> bytes:
    return b"".join(bytes([number % 251]) * size for number, size in enumerate(sizes))


def keys(objects: ObjectStore) -> list[str]:
    return [segment.key for segment in objects.segments("")]


@pytest.fixture
def joiner(files: FileStore, objects: ObjectStore) -> Joiner:
    return Joiner(files, objects, lambda: NOW)


@pytest.mark.parametrize("sizes", [SMALL_PARTS, BIG_PARTS, [1], [6 * MEGABYTE], [6 * MEGABYTE, 0]])
def test_the_parts_become_one_object_and_nothing_else_is_left(
    joiner: Joiner, files: FileStore, objects: ObjectStore, sizes: list[int]
) -> None:
    given(files, objects, sizes)

    assert joiner.join(OWNER, "file-1", never) is Next.DONE

    assert objects.get(TARGET) == content(sizes)
    joined = files.get(OWNER, "file-1", NOW)
    assert joined.segments == [Segment(key=TARGET, size=sum(sizes))]
    assert joined.is_joined
    assert keys(objects) == [TARGET]


@pytest.mark.parametrize("sizes", [SMALL_PARTS, BIG_PARTS])
@pytest.mark.parametrize("calls", [1, 2, 5, 11])
def test_a_run_whose_time_is_up_asks_for_another_that_goes_on(
    joiner: Joiner, files: FileStore, objects: ObjectStore, sizes: list[int], calls: int
) -> None:
    given(files, objects, sizes)
    steps: list[Next] = []
    asked: list[int | None] = []
    while not steps or steps[-1] is Next.MORE:
        steps.append(joiner.join(OWNER, "file-1", after(calls)))
        asked.append(files.get(OWNER, "file-1", NOW).join_asked_at)

    assert len(steps) > 1 or calls > 4
    assert len(set(asked[:-1])) == len(asked) - 1
    assert objects.get(TARGET) == content(sizes)
    assert keys(objects) == [TARGET]


def test_the_last_piece_is_not_put_off(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    given(files, objects, [3])

    assert joiner.join(OWNER, "file-1", after(1)) is Next.DONE


def test_joining_again_changes_nothing(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    given(files, objects, SMALL_PARTS)
    joiner.join(OWNER, "file-1", never)
    joined = files.get(OWNER, "file-1", NOW)

    assert joiner.join(OWNER, "file-1", never) is Next.DONE

    assert files.get(OWNER, "file-1", NOW) == joined
    assert objects.get(TARGET) == content(SMALL_PARTS)


def test_what_a_run_left_that_died_after_its_write_is_cleaned_up_by_the_next(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    joined = [Segment(key=TARGET, size=3)]
    given(files, objects, [1, 2], segments=joined)
    for key in (TARGET, "work/join/admin/file-1.json", f"work/tails/{TARGET}.7"):
        objects.put(key, b"abc")
    others = [
        "files/admin/file-10",
        "uploads/admin/upload_10/part_1",
        "work/tails/files/admin/file-10.7",
    ]
    for key in others:
        objects.put(key, b"abc")

    joiner.join(OWNER, "file-1", never)

    assert keys(objects) == sorted([TARGET, *others])


def test_a_file_that_is_gone_is_done(joiner: Joiner) -> None:
    assert joiner.join(OWNER, "file-1", never) is Next.DONE


def test_a_file_that_was_never_in_parts_is_left_alone(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    objects.put(TARGET, b"abc")
    whole = given(files, objects, [], segments=[Segment(key=TARGET, size=3)], upload_id=None)

    joiner.join(OWNER, "file-1", never)

    assert files.get(OWNER, "file-1", NOW) == whole
    assert keys(objects) == [TARGET]


@pytest.mark.parametrize("sizes", [SMALL_PARTS, BIG_PARTS])
def test_of_two_runs_side_by_side_the_second_finds_the_work_done(
    joiner: Joiner, files: FileStore, objects: ObjectStore, sizes: list[int]
) -> None:
    given(files, objects, sizes)
    others: list[Next] = []

    def another_run() -> bool:
        if not others:
            others.append(joiner.join(OWNER, "file-1", never))
        return False

    assert joiner.join(OWNER, "file-1", another_run) is Next.DONE

    assert others == [Next.DONE]
    assert objects.get(TARGET) == content(sizes)
    assert files.get(OWNER, "file-1", NOW).is_joined
    assert keys(objects) == [TARGET]


@pytest.mark.parametrize("sizes", [SMALL_PARTS, BIG_PARTS])
def test_a_file_deleted_while_it_is_joined_stays_deleted(
    joiner: Joiner, files: FileStore, objects: ObjectStore, sizes: list[int]
) -> None:
    given(files, objects, sizes)

    def delete() -> bool:
        files.delete(OWNER, "file-1")
        return False

    assert joiner.join(OWNER, "file-1", delete) is Next.DONE

    assert keys(objects) == []
    with pytest.raises(NotFound):
        files.get(OWNER, "file-1", NOW)


@pytest.mark.parametrize(("sizes", "calls"), [(SMALL_PARTS, 11), (BIG_PARTS, 2)])
def test_a_run_that_died_after_completing_the_object_is_repeated(
    joiner: Joiner, files: FileStore, objects: ObjectStore, sizes: list[int], calls: int
) -> None:
    file = given(files, objects, sizes)
    assert joiner.join(OWNER, "file-1", after(calls)) is Next.MORE
    died = joiner._begin_or_resume(file)
    for _ in joiner._pieces(file.segments, died):
        pass
    died.complete()

    with suppress(StorageUnavailable):  # where S3 takes no more parts, it begins again
        joiner.join(OWNER, "file-1", never)
    assert joiner.join(OWNER, "file-1", never) is Next.DONE

    assert objects.get(TARGET) == content(sizes)
    assert keys(objects) == [TARGET]


def test_a_missing_part_is_an_error_that_is_tried_again_and_loses_nothing(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    file = given(files, objects, SMALL_PARTS)
    objects.delete([file.segments[1].key])

    with pytest.raises(StorageUnavailable, match="file-1"):
        joiner.join(OWNER, "file-1", never)

    assert files.get(OWNER, "file-1", NOW) == file
    assert file.segments[0].key in keys(objects)


def test_a_content_request_that_asks_meanwhile_does_not_lose_the_parts(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    given(files, objects, SMALL_PARTS)

    def ask() -> bool:
        file = files.get(OWNER, "file-1", NOW)
        if file.join_asked_at is None:
            files.replace(file.model_copy(update={"join_asked_at": NOW}))
        return False

    with pytest.raises(StorageUnavailable):
        joiner.join(OWNER, "file-1", ask)
    assert joiner.join(OWNER, "file-1", ask) is Next.DONE

    assert objects.get(TARGET) == content(SMALL_PARTS)


# The MD5 that was too long to be checked at once.


@pytest.mark.parametrize("is_right", [True, False])
def test_the_checksum_is_checked_and_the_file_says_so(
    joiner: Joiner, files: FileStore, objects: ObjectStore, is_right: bool
) -> None:
    md5 = hashlib.md5(content(SMALL_PARTS), usedforsecurity=False).hexdigest()
    given(files, objects, SMALL_PARTS, status="uploaded", md5=md5 if is_right else "0" * 32)

    joiner.join(OWNER, "file-1", never)

    file = files.get(OWNER, "file-1", NOW)
    assert file.is_joined
    if is_right:
        assert (file.status, file.status_details) == (FileStatus.PROCESSED, None)
    else:
        assert file.status is FileStatus.ERROR
        assert "MD5" in (file.status_details or "")


def test_parts_are_never_held_together_in_memory(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    file = given(files, objects, [4 * MEGABYTE] * 5)
    writer = joiner._begin_or_resume(file)

    held = [len(writer._buffer) for _ in joiner._pieces(file.segments, writer)]

    assert max(held) < 8 * MEGABYTE


def test_no_multipart_upload_is_left_behind_by_a_finished_join(
    joiner: Joiner, files: FileStore, objects: ObjectStore
) -> None:
    given(files, objects, BIG_PARTS)

    joiner.join(OWNER, "file-1", never)

    answer = boto3.client("s3").list_multipart_uploads(Bucket=ENVIRONMENT["BUCKET_NAME"])
    assert "Uploads" not in answer


def test_the_function_joins_what_its_event_names(files: FileStore, objects: ObjectStore) -> None:
    given(files, objects, [1, 2])
    event = {"detail": {"v": 1, "owner": OWNER, "file_id": "file-1", "segments": 2}}

    answer = handler(event, LambdaContext())

    assert answer["next"] == "done"
    assert files.get(OWNER, "file-1", NOW).is_joined
    assert cursor_key(OWNER, "file-1") not in keys(objects)
