"""The Uploads API, through its function."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import boto3
import orjson
import pytest
from nightmail import wiring
from nightmail.api import uploads as uploads_module
from nightmail.api.part_urls import MAX_PARTS, part_bytes, part_count, part_id
from nightmail.api.uploads import UPLOAD_SECONDS, Uploads
from nightmail.errors import InvalidRequest
from nightmail.file import FileStatus, Segment, StoredFile, Upload
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.uploads import UploadStore

from functions.files.handler import handler as files_handler
from functions.uploads.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.multipart import form_event

NOW = 1_795_226_400
LINES = [b'{"custom_id": "a"}\n', b'{"custom_id": "b"}\n', b'{"custom_id": "c"}\n']
WANTED: dict[str, Any] = {
    "filename": "in.jsonl",
    "purpose": "batch",
    "bytes": sum(map(len, LINES)),
    "mime_type": "application/jsonl",
}


def post(path: str, body: Any = None, owner: str = "admin") -> Answer:
    text = None if body is None else orjson.dumps(body).decode()
    return ask(handler, proxy_event("POST", path, body=text, owner=owner))


def begin(**fields: Any) -> str:
    upload_id: str = post("/uploads", WANTED | fields).json["id"]
    return upload_id


def add(upload_id: str, data: bytes, owner: str = "admin") -> Answer:
    path = f"/uploads/{upload_id}/parts"
    return ask(handler, form_event(path, {}, {"data": ("upload", data)}, owner=owner))


def begin_with_parts(parts: list[bytes], **fields: Any) -> tuple[str, list[str]]:
    upload_id = begin(**{"bytes": sum(map(len, parts))} | fields)
    return upload_id, [add(upload_id, part).json["id"] for part in parts]


def complete(upload_id: str, part_ids: Any, **fields: Any) -> Answer:
    return post(f"/uploads/{upload_id}/complete", {"part_ids": part_ids} | fields)


def content_of(file_id: str) -> bytes:
    return ask(files_handler, proxy_event("GET", f"/files/{file_id}/content")).content


# Create.


def test_a_new_upload_is_openai_s_upload_object_with_urls_as_an_extension(
    uploads: UploadStore,
) -> None:
    answer = post("/uploads", WANTED)

    created = answer.json["created_at"]
    extension = answer.json.pop("nightmail")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert {**orjson.loads(answer.content)} | {"nightmail": None} == {
        "id": extension["part_urls"][0]["url"].split("/")[5],
        "object": "upload",
        "bytes": WANTED["bytes"],
        "created_at": created,
        "expires_at": created + UPLOAD_SECONDS,
        "filename": "in.jsonl",
        "purpose": "batch",
        "status": "pending",
        "file": None,
        "nightmail": None,
    }


@pytest.mark.parametrize("name", ["filename", "purpose", "bytes", "mime_type"])
def test_a_missing_field_is_named(uploads: UploadStore, name: str) -> None:
    body = {key: value for key, value in WANTED.items() if key != name}

    answer = post("/uploads", body)

    assert (answer.status, answer.error["param"]) == (400, name)
    assert answer.error["code"] == "missing_required_parameter"


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("filename", "in.json", "filename"),
        ("filename", 7, "filename"),
        ("filename", "n" * 2000 + ".jsonl", "filename"),
        ("purpose", "answers", "purpose"),
        ("purpose", None, "purpose"),
        ("bytes", 0, "bytes"),
        ("bytes", "12", "bytes"),
        ("bytes", 12.5, "bytes"),
        ("bytes", True, "bytes"),
        ("bytes", 8 * 1024**3 + 1, "bytes"),
        ("mime_type", [], "mime_type"),
        ("expires_after", {"anchor": "created_at", "seconds": 10}, "expires_after.seconds"),
        ("expires_after", {"seconds": 3600}, "expires_after.anchor"),
        ("expires_after", "soon", "expires_after"),
    ],
)
def test_a_wrong_field_is_named(uploads: UploadStore, field: str, value: Any, param: str) -> None:
    answer = post("/uploads", WANTED | {field: value})

    assert (answer.status, answer.error["param"]) == (400, param)


def test_eight_gigabytes_and_null_fields_are_accepted(uploads: UploadStore) -> None:
    answer = post("/uploads", WANTED | {"bytes": 8 * 1024**3, "expires_after": None})

    assert answer.status == 200


@pytest.mark.parametrize("body", [None, "[]", "{", '"x"'])
def test_a_body_that_is_no_json_object_is_refused(uploads: UploadStore, body: str | None) -> None:
    assert ask(handler, proxy_event("POST", "/uploads", body=body)).status == 400


# Parts through the gateway.


def test_parts_become_a_file_in_the_order_of_part_ids(uploads: UploadStore) -> None:
    upload_id = begin(expires_after={"anchor": "created_at", "seconds": 7200})
    last, first, middle = (add(upload_id, LINES[n]).json["id"] for n in (2, 0, 1))

    answer = complete(upload_id, [first, middle, last])

    file = answer.json["file"]
    assert (answer.status, answer.json["status"], answer.json["id"]) == (
        200,
        "completed",
        upload_id,
    )
    assert (file["object"], file["status"], file["bytes"]) == ("file", "processed", WANTED["bytes"])
    assert (file["filename"], file["purpose"]) == ("in.jsonl", "batch")
    assert file["expires_at"] == file["created_at"] + 7200
    assert content_of(file["id"]) == b"".join(LINES)


def test_a_part_is_openai_s_part_object(uploads: UploadStore) -> None:
    upload_id = begin()

    part = add(upload_id, LINES[0]).json

    assert part["id"].startswith("part_")
    assert part == {
        "id": part["id"],
        "object": "upload.part",
        "created_at": part["created_at"],
        "upload_id": upload_id,
    }


def test_a_part_over_the_limit_is_refused_with_the_size_to_use(
    uploads: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_PART_BYTES", "1000")
    wiring.settings.cache_clear()
    upload_id = begin()

    answer = add(upload_id, bytes(1001))

    assert (answer.status, answer.error["param"]) == (413, "data")
    assert "part_size=1000" in answer.error["message"]
    assert add(upload_id, bytes(1000)).status == 200


def test_a_part_without_data_is_refused(uploads: UploadStore) -> None:
    upload_id = begin()
    other = form_event(f"/uploads/{upload_id}/parts", {}, {"file": b"x"})
    none = proxy_event("POST", f"/uploads/{upload_id}/parts", body="{}")

    for event in (other, none):
        answer = ask(handler, event)
        assert (answer.status, answer.error["param"]) == (400, "data")


# Parts straight to S3.


def test_every_part_has_a_url_in_pages_that_join_up(uploads: UploadStore) -> None:
    created = post("/uploads", WANTED | {"bytes": 200 * 1024 * 1024}).json
    page = created["nightmail"]
    urls = page["part_urls"]
    while page["next"]:
        path, _, query = page["next"].partition("?")
        after = query.removeprefix("after=")
        event = proxy_event("GET", path, query={"after": after, "limit": "3"})
        page = ask(handler, event).json
        assert len(page["part_urls"]) <= 3
        urls += page["part_urls"]

    assert page["part_bytes"] == 8 * 1024 * 1024
    assert [url["number"] for url in urls] == list(range(1, 26))
    assert len({url["part_id"] for url in urls}) == 25


def test_a_url_takes_the_part_that_it_is_for(uploads: UploadStore, objects: ObjectStore) -> None:
    created = post("/uploads", WANTED).json
    (url,) = created["nightmail"]["part_urls"]

    target = urlsplit(url["url"])
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"], Key=target.path.split("/", 1)[1], Body=b"".join(LINES)
    )
    answer = complete(created["id"], [url["part_id"]])

    assert target.hostname == f"{ENVIRONMENT['BUCKET_NAME']}.s3.us-east-1.amazonaws.com"
    assert answer.json["status"] == "completed"
    assert content_of(answer.json["file"]["id"]) == b"".join(LINES)


def test_a_url_can_be_asked_for_again_and_names_the_same_part(uploads: UploadStore) -> None:
    created = post("/uploads", WANTED).json

    again = ask(handler, proxy_event("GET", f"/uploads/{created['id']}/urls")).json

    first, second = created["nightmail"]["part_urls"][0], again["part_urls"][0]
    assert first["part_id"] == second["part_id"]
    assert first["url"].split("?")[0] == second["url"].split("?")[0]


def test_a_url_lives_as_long_as_its_upload(
    uploads: UploadStore, files: FileStore, objects: ObjectStore
) -> None:
    clock = [NOW]
    api = Uploads(uploads, files, objects, lambda: clock[0])
    upload_id = api.create("admin", WANTED, 10**9)["id"]
    clock[0] += UPLOAD_SECONDS - 10

    (url,) = api.part_urls("admin", upload_id, {})["part_urls"]

    assert "X-Amz-Expires=10&" in url["url"]


@pytest.mark.parametrize(
    ("name", "value"), [("after", "-1"), ("after", "x"), ("limit", "0"), ("limit", "501")]
)
def test_a_wrong_query_for_urls_is_named(uploads: UploadStore, name: str, value: str) -> None:
    event = proxy_event("GET", f"/uploads/{begin()}/urls", query={name: value})

    answer = ask(handler, event)

    assert (answer.status, answer.error["param"]) == (400, name)


def test_the_page_behind_the_last_part_is_empty(uploads: UploadStore) -> None:
    event = proxy_event("GET", f"/uploads/{begin()}/urls", query={"after": "7"})

    assert ask(handler, event).json["part_urls"] == []


@pytest.mark.parametrize("size", [1, 8 * 1024**2, 8 * 1024**2 + 1, 8 * 1024**3, 5 * 1024**4])
def test_the_parts_of_any_size_are_few_enough_and_big_enough_for_s3(size: int) -> None:
    upload = Upload(
        id="upload_1",
        owner="admin",
        bytes=size,
        created_at=NOW,
        expires_at=NOW,
        filename="a",
        purpose="evals",
        mime_type="",
    )

    assert 5 * 1024**2 <= part_bytes(upload) <= 5 * 1024**3
    assert part_count(upload) <= MAX_PARTS
    assert 0 < size - (part_count(upload) - 1) * part_bytes(upload) <= part_bytes(upload)


# Complete.


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


def test_a_checksum_of_more_than_can_be_read_in_time_is_left_to_join_file(
    uploads: UploadStore, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_module, "INLINE_MD5_BYTES", WANTED["bytes"] - 1)
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
        content_type="t" * 255,
        upload_id="upload_" + "0" * 32,
    )

    files.create(file)

    assert files.get(owner, "file-1", NOW) == file


# Cancel, expiry, ownership.


def test_a_cancelled_upload_takes_nothing_more_and_its_parts_are_gone(
    uploads: UploadStore, objects: ObjectStore
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)

    answer = post(f"/uploads/{upload_id}/cancel")

    assert (answer.status, answer.json["status"], answer.json["file"]) == (200, "cancelled", None)
    assert list(objects.segments("uploads/")) == []
    assert add(upload_id, LINES[0]).status == 400
    assert complete(upload_id, part_ids).status == 400
    assert post(f"/uploads/{upload_id}/cancel").json == answer.json


def test_a_completed_upload_is_neither_cancelled_nor_added_to(uploads: UploadStore) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    file = complete(upload_id, part_ids).json["file"]

    for answer in (post(f"/uploads/{upload_id}/cancel"), add(upload_id, LINES[0])):
        assert (answer.status, answer.error["param"]) == (400, "upload_id")
    assert content_of(file["id"]) == b"".join(LINES)


def test_an_upload_expires_after_an_hour(
    uploads: UploadStore, files: FileStore, objects: ObjectStore
) -> None:
    clock = [NOW]
    api = Uploads(uploads, files, objects, lambda: clock[0])
    late = api.create("admin", WANTED, 10**9)["id"]
    clock[0] += UPLOAD_SECONDS

    with pytest.raises(InvalidRequest, match="expired"):
        api.complete("admin", late, {"part_ids": ["part_1"]})
    with pytest.raises(InvalidRequest, match="expired"):
        api.cancel("admin", late)
    with pytest.raises(InvalidRequest, match="expired"):
        api.part_urls("admin", late, {})


def test_an_upload_completed_in_time_is_still_completed_later(
    uploads: UploadStore, files: FileStore, objects: ObjectStore
) -> None:
    upload_id, part_ids = begin_with_parts(LINES)
    first = complete(upload_id, part_ids).json
    later = Uploads(uploads, files, objects, lambda: wiring.now() + 2 * UPLOAD_SECONDS)

    assert later.complete("admin", upload_id, {"part_ids": part_ids}) == first


@pytest.mark.parametrize("action", ["parts", "complete", "cancel", "urls"])
def test_an_unknown_upload_and_another_owner_s_are_told_alike(
    uploads: UploadStore, action: str
) -> None:
    theirs: str = post("/uploads", WANTED, owner="somebody").json["id"]

    for upload_id in (theirs, "upload_unknown"):
        path = f"/uploads/{upload_id}/{action}"
        event = form_event(path, {}, {"data": b"x"})
        if action == "complete":
            event = proxy_event("POST", path, body='{"part_ids": ["part_1"]}')
        if action == "urls":
            event = proxy_event("GET", path)
        answer = ask(handler, event)
        assert answer.status == 404
        assert answer.error == {
            "message": f"No such Upload object: {upload_id}",
            "type": "invalid_request_error",
            "param": "upload_id",
            "code": None,
        }
