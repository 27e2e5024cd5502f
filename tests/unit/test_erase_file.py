"""erase_file: a removed file's objects go, and nobody else's."""

from __future__ import annotations

import pytest
from nightmail.file import Segment, StoredFile
from nightmail.steps.erase_file import Eraser
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

from functions.erase_file.handler import handler
from tests.unit.gateway import LambdaContext

NOW = 1_795_226_400
OURS = [
    "files/admin/file-1",
    "work/join/admin/file-1.json",
    "work/tails/files/admin/file-1.8388608",
]
PARTS = ["uploads/admin/upload_1/part_1", "uploads/admin/upload_1/part_2"]
OTHERS = [
    "config/config.yaml",
    "files/admin/file-10",
    "files/admin/file-2",
    "files/somebody/file-1",
    "uploads/admin/upload_10/part_1",
    "uploads/admin/upload_2/part_1",
    "uploads/somebody/upload_1/part_1",
    "work/join/admin/file-10.json",
    "work/tails/files/admin/file-10.7",
]


@pytest.fixture
def eraser(files: FileStore, objects: ObjectStore) -> Eraser:
    for key in [*OURS, *PARTS, *OTHERS]:
        objects.put(key, b"x")
    return Eraser(files, objects, lambda: NOW)


def keys(objects: ObjectStore) -> list[str]:
    return [segment.key for segment in objects.segments("")]


def test_a_file_of_one_object_goes_with_all_that_was_made_for_it(
    eraser: Eraser, objects: ObjectStore
) -> None:
    assert eraser.erase("admin", "file-1", ["files/admin/file-1"])

    assert keys(objects) == sorted([*PARTS, *OTHERS])


def test_a_file_in_parts_goes_with_its_whole_upload(eraser: Eraser, objects: ObjectStore) -> None:
    assert eraser.erase("admin", "file-1", PARTS[:1])

    assert keys(objects) == OTHERS


def test_erasing_again_is_no_error(eraser: Eraser, objects: ObjectStore) -> None:
    for _ in range(2):
        assert eraser.erase("admin", "file-1", PARTS)

    assert keys(objects) == OTHERS


@pytest.mark.parametrize(
    "key",
    [
        "uploads/somebody/upload_1/part_1",
        "uploads/admin/",
        "uploads/admin//",
        "uploads/admin//part_1",
        "uploads/admin/upload_1",
        "uploads/admin/upload_1/a/b",
        "files/admin/file-2",
        "config/config.yaml",
        "",
    ],
)
def test_a_key_that_is_no_part_of_the_owner_s_uploads_is_left_alone(
    eraser: Eraser, objects: ObjectStore, key: str
) -> None:
    eraser.erase("admin", "file-1", [key])

    assert set(keys(objects)) == {*PARTS, *OTHERS}


def test_an_event_without_an_id_erases_nobody_s_files(eraser: Eraser, objects: ObjectStore) -> None:
    eraser.erase("admin", "", [])
    eraser.erase("", "", [])

    assert set(keys(objects)) == {*OURS, *PARTS, *OTHERS}


def test_a_file_that_is_there_is_not_erased(
    eraser: Eraser, files: FileStore, objects: ObjectStore
) -> None:
    files.create(
        StoredFile(
            id="file-1",
            owner="admin",
            bytes=1,
            created_at=NOW,
            filename="a",
            purpose="evals",
            segments=[Segment(key="files/admin/file-1", size=1)],
        )
    )

    assert not eraser.erase("admin", "file-1", PARTS)

    assert set(keys(objects)) == {*OURS, *PARTS, *OTHERS}


def test_the_function_erases_what_its_event_names(eraser: Eraser, objects: ObjectStore) -> None:
    event = {"detail": {"v": 1, "owner": "admin", "file_id": "file-1", "keys": PARTS}}

    assert handler(event, LambdaContext()) == {"erased": True}
    assert keys(objects) == OTHERS
