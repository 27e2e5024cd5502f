"""The Uploads API, through its function: create, parts, cancel."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from nightmail import wiring
from nightmail.api.uploads import UPLOAD_SECONDS, Uploads
from nightmail.errors import InvalidRequest
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.uploads import UploadStore

from functions.uploads.handler import handler
from tests.unit.gateway import ask, proxy_event
from tests.unit.multipart import form_event
from tests.unit.upload_requests import (
    LINES,
    NOW,
    WANTED,
    add,
    begin,
    begin_with_parts,
    complete,
    content_of,
    post,
)

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
