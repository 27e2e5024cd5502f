"""An upload becomes a file: completely, in order, once."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from nightmail import wiring
from nightmail.api import uploads as uploads_module
from nightmail.api.part_urls import MAX_PARTS, part_id
from nightmail.api.uploads import Uploads
from nightmail.errors import InvalidRequest
from nightmail.file import FileStatus, Segment, StoredFile, Upload
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.uploads import UploadStore

from functions.files.handler import handler as files_handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.upload_requests import (
    LINES,
    NOW,
    WANTED,
    begin,
    begin_with_parts,
    complete,
    post,
)


def test_parts_that_are_not_as_many_bytes_as_promised_are_refused_with_both_figures(
    uploads: UploadStore,
) -> None:
    upload_id, part_ids = begin_with_parts(LINES, bytes=1000)

    answer = complete(upload_id, part_ids)

    assert (answer.status, answer.error["param"]) == (400, "part_ids")
    assert str(WANTED["bytes"]) in answer.error["message"]
    assert "1000" in answer.error["message"]
    assert ask(files_handler, proxy_event("GET", "/files")).json["data"] == []


def test_a_part_that_is_unknown_another_upload_s_or_named_twice_is_refused(
    uploads: UploadStore,
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    _, others = begin_with_parts(LINES)

    for wrong in (
        ["part_x", *part_ids[1:]],
        [others[0], *part_ids[1:]],
        [part_ids[0]] * 3,
        ["../x"],
    ):
        answer = complete(upload_id, wrong)
        assert (answer.status, answer.error["param"]) == (400, "part_ids")
        assert wrong[0] in answer.error["message"]
    assert complete(upload_id, part_ids).status == 200


@pytest.mark.parametrize(
    "part_ids", [None, [], "part_1", [1], [None], ["part_1"] * (MAX_PARTS + 1)]
)
def test_part_ids_have_to_be_an_array_of_some_strings(uploads: UploadStore, part_ids: Any) -> None:
    answer = complete(begin(), part_ids)

    assert (answer.status, answer.error["param"].split("[")[0]) == (400, "part_ids")


def test_a_matching_checksum_is_accepted_in_any_case(uploads: UploadStore) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    md5 = hashlib.md5(b"".join(LINES), usedforsecurity=False).hexdigest()

    assert complete(upload_id, part_ids, md5=md5.upper()).json["file"]["status"] == "processed"


@pytest.mark.parametrize("md5", ["0" * 32, "short", 7, "g" * 32])
def test_a_wrong_checksum_is_refused_and_the_upload_can_still_be_completed(
    uploads: UploadStore, md5: Any
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)

    answer = complete(upload_id, part_ids, md5=md5)

    assert (answer.status, answer.error["param"]) == (400, "md5")
    assert complete(upload_id, part_ids, md5=None).status == 200


@pytest.mark.parametrize(
    ("limit", "value"),
    [("INLINE_MD5_BYTES", WANTED["bytes"] - 1), ("INLINE_MD5_PARTS", len(LINES) - 1)],
)
def test_a_checksum_of_more_than_can_be_read_in_time_is_left_to_join_file(
    uploads: UploadStore,
    files: FileStore,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(uploads_module, limit, value)
    upload_id, part_ids = begin_with_parts(LINES)

    file = complete(upload_id, part_ids, md5="0" * 32).json["file"]

    assert file["status"] == "uploaded"
    assert files.get("admin", file["id"], NOW).md5 == "0" * 32


@pytest.mark.parametrize("content", [b"\n \n", b"a,b\n"])
def test_a_batch_file_that_is_none_is_refused(uploads: UploadStore, content: bytes) -> None:
    upload_id, part_ids = begin_with_parts([content])

    answer = complete(upload_id, part_ids)

    assert (answer.status, answer.error["param"]) == (400, "part_ids")
    assert "Invalid file format for Batch API" in answer.error["message"]


def test_completing_again_answers_the_same(uploads: UploadStore) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    first = complete(upload_id, part_ids)

    assert complete(upload_id, part_ids).json == first.json
    assert len(ask(files_handler, proxy_event("GET", "/files")).json["data"]) == 1


def test_completing_again_after_the_file_was_deleted_does_not_bring_it_back(
    uploads: UploadStore,
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    file_id = complete(upload_id, part_ids).json["file"]["id"]
    ask(files_handler, proxy_event("DELETE", f"/files/{file_id}"))

    again = complete(upload_id, part_ids)

    assert (again.json["status"], again.json["file"]) == ("completed", None)
    assert ask(files_handler, proxy_event("GET", "/files")).json["data"] == []


def test_completing_again_with_other_parts_is_refused(uploads: UploadStore) -> None:
    upload_id, part_ids = begin_with_parts([LINES[0], LINES[0]])
    complete(upload_id, part_ids)

    answer = complete(upload_id, part_ids[::-1])

    assert (answer.status, answer.error["param"]) == (400, "upload_id")
    assert "completed" in answer.error["message"]


def test_of_two_completions_at_once_both_answer_the_same_file(
    uploads: UploadStore, files: FileStore, objects: ObjectStore
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    others: list[Answer] = []

    class Slow(UploadStore):
        """Somebody else completes the upload just before this one does."""

        def complete(self, upload: Upload, file: StoredFile, completion: str) -> Upload:
            others.append(complete(upload_id, part_ids))
            return super().complete(upload, file, completion)

    api = Uploads(Slow(wiring.table()), files, objects, wiring.now)
    answer = api.complete("admin", upload_id, {"part_ids": part_ids})

    assert [other.json for other in others] == [answer]
    assert len(list(files.list("admin", NOW))) == 1


def test_an_upload_cancelled_while_it_is_completed_makes_no_file(
    uploads: UploadStore, files: FileStore, objects: ObjectStore
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)

    class Slow(UploadStore):
        """Somebody else cancels the upload just before this one completes it."""

        def complete(self, upload: Upload, file: StoredFile, completion: str) -> Upload:
            post(f"/uploads/{upload_id}/cancel")
            return super().complete(upload, file, completion)

    api = Uploads(Slow(wiring.table()), files, objects, wiring.now)
    with pytest.raises(InvalidRequest, match="cancelled"):
        api.complete("admin", upload_id, {"part_ids": part_ids})

    assert list(files.list("admin", NOW)) == []


def test_the_record_of_as_many_parts_as_there_may_be_fits_into_the_table(
    files: FileStore, uploads: UploadStore
) -> None:
    owner = "o" * 64
    prefix = f"uploads/{owner}/upload_{'0' * 32}/"
    parts = [
        Segment(key=f"{prefix}{part_id('upload_1', number)}", size=8 * 1024**2)
        for number in range(MAX_PARTS)
    ]
    file = StoredFile(
        id="file-1",
        owner=owner,
        bytes=1,
        created_at=NOW,
        filename="n" * 1024,
        purpose="evals",
        segments=parts,
        status=FileStatus.UPLOADED,
        md5="0" * 32,
        upload_id="upload_" + "0" * 32,
    )

    files.create(file)

    assert files.get(owner, "file-1", NOW) == file
