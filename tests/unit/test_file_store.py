"""Files and uploads in the table."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.errors import NotFound, WriteConflict
from nightmail.file import FileStatus, Segment, StoredFile, Upload, UploadStatus
from nightmail.stores.files import FileStore
from nightmail.stores.table import Key, Table
from nightmail.stores.uploads import KEPT_SECONDS, UploadStore

NOW = 1_795_226_400


def a_file(file_id: str = "file-1", **fields: Any) -> StoredFile:
    given = {
        "id": file_id,
        "owner": "admin",
        "bytes": 3,
        "created_at": NOW,
        "filename": "a.jsonl",
        "purpose": "batch",
        "segments": [Segment(key=f"files/admin/{file_id}", size=3)],
    }
    return StoredFile.model_validate(given | fields)


def an_upload(**fields: Any) -> Upload:
    given = {
        "id": "upload_1",
        "owner": "admin",
        "bytes": 3,
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "filename": "a.jsonl",
        "purpose": "batch",
        "mime_type": "application/jsonl",
    }
    return Upload.model_validate(given | fields)


def test_a_file_comes_back_as_it_was_written(files: FileStore) -> None:
    file = a_file(expires_at=NOW + 1, md5="0" * 32)

    files.create(file)
    files.create(file)

    assert files.get("admin", "file-1", NOW) == file


def test_unknown_files_and_those_of_other_owners_are_not_found_alike(files: FileStore) -> None:
    files.create(a_file(owner="somebody"))

    for file_id in ("file-1", "file-2"):
        with pytest.raises(NotFound, match=f"^No such File object: {file_id}$"):
            files.get("admin", file_id, NOW)
    assert list(files.list("admin", NOW)) == []


def test_an_expired_file_is_gone_at_that_second(files: FileStore) -> None:
    files.create(a_file(expires_at=NOW))

    assert files.get("admin", "file-1", NOW - 1).id == "file-1"
    with pytest.raises(NotFound):
        files.get("admin", "file-1", NOW)
    assert list(files.list("admin", NOW)) == []


def test_the_table_forgets_an_expired_file_by_itself(files: FileStore, table: Table) -> None:
    files.create(a_file(expires_at=NOW))
    files.create(a_file("file-2"))

    items = [table.get(Key("OWNER#admin", f"FILE#file-{number}")) or {} for number in (1, 2)]
    assert [item.get("delete_at") for item in items] == [NOW, None]


def test_of_two_changes_of_one_version_one_wins(files: FileStore) -> None:
    files.create(a_file())
    read = files.get("admin", "file-1", NOW)

    saved = files.replace(read.model_copy(update={"status": FileStatus.ERROR}))

    with pytest.raises(WriteConflict):
        files.replace(read.model_copy(update={"segments": []}))
    assert files.get("admin", "file-1", NOW) == saved
    assert files.replace(saved).version == 3


def test_a_deleted_file_is_not_brought_back_by_a_change(files: FileStore) -> None:
    files.create(a_file())
    read = files.get("admin", "file-1", NOW)
    files.delete("admin", "file-1")

    with pytest.raises(WriteConflict):
        files.replace(read)


def test_files_are_listed_by_their_ids_behind_a_cursor(files: FileStore) -> None:
    for number in (2, 1, 3):
        files.create(a_file(f"file-{number}"))

    def ids(**how: Any) -> list[str]:
        return [file.id for file in files.list("admin", NOW, **how)]

    assert ids() == ["file-3", "file-2", "file-1"]
    assert ids(newest_first=False, page=1) == ["file-1", "file-2", "file-3"]
    assert ids(after="file-3", page=1) == ["file-2", "file-1"]


@pytest.mark.parametrize(
    ("keys", "is_joined"),
    [
        (["files/admin/file-1"], True),
        (["files/admin/file-2"], False),
        (["uploads/admin/upload_1/part_1"], False),
        (["files/admin/file-1", "files/admin/file-1"], False),
        ([], False),
    ],
)
def test_a_file_is_joined_when_it_is_the_one_object_of_its_name(
    keys: list[str], is_joined: bool
) -> None:
    assert a_file(segments=[{"key": key, "size": 1} for key in keys]).is_joined is is_joined


# Uploads.


def test_an_upload_comes_back_as_it_was_written_to_its_owner_only(uploads: UploadStore) -> None:
    uploads.create(an_upload())

    assert uploads.get("admin", "upload_1") == an_upload()
    for owner, upload_id in (("somebody", "upload_1"), ("admin", "upload_2")):
        with pytest.raises(NotFound, match=f"^No such Upload object: {upload_id}$"):
            uploads.get(owner, upload_id)
    with pytest.raises(WriteConflict):
        uploads.create(an_upload())


def test_a_completed_upload_and_its_file_are_written_together(
    uploads: UploadStore, files: FileStore
) -> None:
    uploads.create(an_upload())

    completed = uploads.complete(an_upload(), a_file(), "digest")

    assert uploads.get("admin", "upload_1") == completed
    assert (completed.status, completed.file_id) == (UploadStatus.COMPLETED, "file-1")
    assert files.get("admin", "file-1", NOW) == a_file()


def test_only_a_pending_upload_is_completed_or_cancelled(
    uploads: UploadStore, files: FileStore
) -> None:
    pending = an_upload()
    uploads.create(pending)
    uploads.cancel(pending)

    with pytest.raises(WriteConflict):
        uploads.complete(pending, a_file(), "digest")
    with pytest.raises(WriteConflict):
        uploads.cancel(pending)
    assert list(files.list("admin", NOW)) == []


def test_a_pending_upload_expires_and_a_finished_one_does_not() -> None:
    late = NOW + 3600

    assert an_upload().status_at(late - 1) is UploadStatus.PENDING
    assert an_upload().status_at(late) is UploadStatus.EXPIRED
    assert an_upload(status="completed").status_at(late) is UploadStatus.COMPLETED


def test_an_upload_s_record_outlives_the_objects_that_the_lifecycle_removes(
    uploads: UploadStore, table: Table
) -> None:
    uploads.create(an_upload())

    item = table.get(Key("OWNER#admin", "UPLOAD#upload_1")) or {}
    assert item["delete_at"] == NOW + KEPT_SECONDS
    assert KEPT_SECONDS > 7 * 24 * 3600
