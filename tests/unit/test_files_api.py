"""The Files API, through its function."""

from __future__ import annotations

import base64
from typing import Any

import boto3
import pytest
from nightmail import wiring
from nightmail.api.content import INLINE_BYTES, JOIN_LOST_SECONDS, Contents, content_disposition
from nightmail.errors import StorageUnavailable
from nightmail.file import Segment, StoredFile
from nightmail.new_file import PURPOSES
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

from functions.files.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.multipart import Given, form, form_event

LINE = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
NOW = 1_795_226_400


def create(
    content: bytes = LINE,
    name: str = "in.jsonl",
    purpose: str = "batch",
    owner: str = "admin",
) -> Answer:
    event = form_event("/files", {"purpose": purpose}, {"file": (name, content)}, owner=owner)
    return ask(handler, event)


def get(path: str, *, owner: str = "admin", **query: str) -> Answer:
    return ask(handler, proxy_event("GET", path, owner=owner, query=query))


def content_of(file_id: str, **headers: str) -> Answer:
    return ask(handler, proxy_event("GET", f"/files/{file_id}/content", headers=headers))


# Create.


def test_a_created_file_is_openai_s_file_object(files: FileStore) -> None:
    answer = create()

    assert answer.status == 200
    assert answer.headers["x-request-id"]
    created = answer.json["created_at"]
    assert answer.json == {
        "id": answer.json["id"],
        "object": "file",
        "bytes": len(LINE),
        "created_at": created,
        "expires_at": created + 30 * 24 * 3600,
        "filename": "in.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    assert answer.json["id"].startswith("file-")
    assert get(f"/files/{answer.json['id']}").json == answer.json


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_is_accepted_and_only_batch_files_expire_by_themselves(
    files: FileStore, purpose: str
) -> None:
    answer = create(purpose=purpose)

    assert (answer.status, answer.json["purpose"]) == (200, purpose)
    assert (answer.json["expires_at"] is not None) == (purpose == "batch")


def test_only_batch_files_have_to_be_jsonl(files: FileStore) -> None:
    assert create(b"\xff\xfe anything", "picture.png", "vision").status == 200
    assert create(b"", "empty.txt", "user_data").status == 200


def test_expires_after_in_brackets_is_heeded(files: FileStore) -> None:
    event = form_event(
        "/files",
        {
            "purpose": "evals",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
        },
        {"file": ("a.txt", b"x")},
    )

    answer = ask(handler, event)

    assert answer.json["expires_at"] == answer.json["created_at"] + 3600


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        (
            {"expires_after[anchor]": "now", "expires_after[seconds]": "3600"},
            "expires_after.anchor",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
            "expires_after.seconds",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"},
            "expires_after.seconds",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "9" * 5000},
            "expires_after.seconds",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"},
            "expires_after.seconds",
        ),
    ],
)
def test_a_wrong_expires_after_is_named(
    files: FileStore, fields: dict[str, str], param: str
) -> None:
    event = form_event("/files", {"purpose": "batch", **fields}, {"file": ("in.jsonl", LINE)})

    answer = ask(handler, event)

    assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("fields", "given", "param", "words"),
    [
        ({}, {"file": ("in.jsonl", LINE)}, "purpose", "Missing required parameter: 'purpose'."),
        ({"purpose": ""}, {"file": ("in.jsonl", LINE)}, "purpose", "Invalid value"),
        ({"purpose": "answers"}, {"file": ("in.jsonl", LINE)}, "purpose", "'assistants', 'batch',"),
        (
            {"purpose": "batch"},
            {"other": ("in.jsonl", LINE)},
            "file",
            "Missing required parameter: 'file'.",
        ),
        (
            {"purpose": "batch"},
            {"file": ("in.json", LINE)},
            "file",
            "Invalid file format for Batch API. Must be .jsonl",
        ),
        ({"purpose": "batch"}, {"file": LINE}, "file", "Must be .jsonl"),
        ({"purpose": "batch"}, {"file": ("in.jsonl", b"")}, "file", "empty"),
        ({"purpose": "batch"}, {"file": ("in.jsonl", b" \r\n\n\t\n")}, "file", "empty"),
        (
            {"purpose": "batch"},
            {"file": ("in.jsonl", b"custom_id,method\n")},
            "file",
            "not a JSON object",
        ),
        ({"purpose": "batch"}, {"file": ("in.jsonl", b"\n[{}]\n")}, "file", "not a JSON object"),
    ],
)
def test_what_is_no_file_for_its_purpose_is_refused_and_named(
    files: FileStore, fields: dict[str, str], given: dict[str, Given], param: str, words: str
) -> None:
    answer = ask(handler, form_event("/files", fields, given))

    assert (answer.status, answer.error["param"]) == (400, param)
    assert answer.error["type"] == "invalid_request_error"
    assert words in answer.error["message"]
    assert get("/files").json["data"] == []


@pytest.mark.parametrize(
    "content",
    [
        b"\n\n" + LINE,
        b"\xef\xbb\xbf" + LINE,
        LINE.decode().encode("utf-16"),
        b'{"custom_id": broken\n',
        LINE.rstrip(),
        LINE.replace(b"\n", b"\r\n"),
    ],
)
def test_what_is_wrong_with_the_lines_is_left_to_the_batch(
    files: FileStore, content: bytes
) -> None:
    assert create(content).status == 200


def test_a_form_that_arrives_as_text_is_read_too(files: FileStore) -> None:
    body, content_type = form({"purpose": "batch"}, {"file": ("ä.jsonl", LINE)})

    answer = ask(
        handler,
        proxy_event("POST", "/files", body=body.decode(), headers={"content-type": content_type}),
    )

    assert (answer.status, answer.json["filename"], answer.json["bytes"]) == (
        200,
        "ä.jsonl",
        len(LINE),
    )


def test_a_body_that_is_no_form_is_refused(files: FileStore) -> None:
    event = proxy_event("POST", "/files", body="{}", headers={"Content-Type": "application/json"})
    garbled = form_event("/files", {}, {"file": b"x"}) | {"body": "%", "isBase64Encoded": True}

    assert ask(handler, event).error["param"] == "file"
    assert ask(handler, garbled).status == 400


def test_more_than_one_request_carries_is_refused_with_the_way_out(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_PART_BYTES", "1000")
    wiring.settings.cache_clear()

    answer = create(LINE * 100)

    assert (answer.status, answer.error["code"], answer.error["param"]) == (
        413,
        "request_too_large",
        "file",
    )
    assert "/uploads" in answer.error["message"]
    assert create(LINE[:-1].ljust(1000)).status == 200


def test_litellm_s_hints_do_no_harm(files: FileStore) -> None:
    hints = {"custom_llm_provider": "openai", "model": "gpt-4o", "target_model_names": "a,b"}
    event = form_event("/files", {"purpose": "batch", **hints}, {"file": ("in.jsonl", LINE)})
    event["headers"] |= {"x-litellm-model": "gpt-4o", "custom-llm-provider": "openai"}
    event["queryStringParameters"] = {"model": "gpt-4o"}

    created = ask(handler, event)

    assert created.status == 200
    on_get = proxy_event(
        "GET", f"/files/{created.json['id']}", body='{"custom_llm_provider": "openai"}', query=hints
    )
    assert ask(handler, on_get).json == created.json


def test_an_object_that_could_not_be_written_leaves_no_record(files: FileStore) -> None:
    boto3.client("s3").delete_bucket(Bucket=ENVIRONMENT["BUCKET_NAME"])

    answer = create()

    assert answer.status == 503
    assert get("/files").json["data"] == []


# List.


def test_files_are_listed_newest_first_in_pages_that_join_up(files: FileStore) -> None:
    ids = [create().json["id"] for _ in range(5)]

    first = get("/files", limit="2").json
    second = get("/files", limit="2", after=first["last_id"]).json
    third = get("/files", limit="2", after=second["last_id"]).json

    pages = [first, second, third]
    assert [file["id"] for page in pages for file in page["data"]] == sorted(ids, reverse=True)
    assert [page["has_more"] for page in pages] == [True, True, False]
    assert (first["object"], first["first_id"]) == ("list", max(ids))


def test_files_are_listed_oldest_first_on_demand(files: FileStore) -> None:
    ids = [create().json["id"] for _ in range(3)]

    page = get("/files", order="asc", after=min(ids)).json

    assert [file["id"] for file in page["data"]] == sorted(ids)[1:]


def test_a_list_can_be_of_one_purpose(files: FileStore) -> None:
    create(purpose="batch")
    wanted = create(purpose="evals").json["id"]

    page = get("/files", purpose="evals", limit="1").json

    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([wanted], False)


def test_an_empty_list_has_no_ids(files: FileStore) -> None:
    assert get("/files").json == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "many"),
        ("limit", ""),
        ("limit", "-1"),
        ("order", "up"),
    ],
)
def test_a_wrong_query_is_refused_and_named(files: FileStore, name: str, value: str) -> None:
    answer = ask(handler, proxy_event("GET", "/files", query={name: value}))

    assert (answer.status, answer.error["param"]) == (400, name)


@pytest.mark.parametrize("after", ["file-unknown", "x" * 5000, "ä" * 600, "\x00"])
def test_a_cursor_that_names_no_file_is_a_place_in_the_order(files: FileStore, after: str) -> None:
    create()

    assert get("/files", after=after).status == 200


def test_a_page_fits_into_one_answer(files: FileStore) -> None:
    for number in range(20):
        files.create(stored(f"file-{number:02}", filename="n" * 300_000, segments=[]))

    page = get("/files").json

    assert page["has_more"]
    assert 0 < len(page["data"]) < 20


# Retrieve and delete.


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_file_and_another_owner_s_are_told_alike(files: FileStore, method: str) -> None:
    theirs = create(owner="somebody").json["id"]

    for file_id in (theirs, "file-unknown", "file-" + "x" * 3000):
        answer = ask(handler, proxy_event(method, f"/files/{file_id}"))
        assert answer.status == 404
        assert answer.error == {
            "message": f"No such File object: {file_id}",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        }
        assert content_of(file_id).error == answer.error
    assert get(f"/files/{theirs}", owner="somebody").status == 200
    assert get("/files").json["data"] == []


def test_a_deleted_file_is_gone(files: FileStore) -> None:
    file_id = create().json["id"]

    deleted = ask(handler, proxy_event("DELETE", f"/files/{file_id}"))

    assert deleted.json == {"id": file_id, "object": "file", "deleted": True}
    assert get(f"/files/{file_id}").status == 404
    assert content_of(file_id).status == 404
    assert ask(handler, proxy_event("DELETE", f"/files/{file_id}")).status == 404


def test_an_expired_file_is_gone_before_the_table_forgets_it(files: FileStore) -> None:
    files.create(stored("file-old", expires_at=NOW))

    assert get("/files/file-old").status == 404
    assert get("/files").json["data"] == []


# Content.


def stored(file_id: str = "file-1", **fields: Any) -> StoredFile:
    given = {
        "id": file_id,
        "owner": "admin",
        "bytes": 3,
        "created_at": NOW,
        "filename": "a.txt",
        "purpose": "user_data",
        "segments": [Segment(key=f"files/admin/{file_id}", size=3)],
    }
    return StoredFile.model_validate(given | fields)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/binary", "text/html, application/binary", ""]
)
def test_text_comes_as_it_was_for_every_client(files: FileStore, accept: str) -> None:
    text = '{"greeting": "Grüße, 漢字 \\u0000 \\"quoted\\""}\r\n'.encode()
    file_id = create(text).json["id"]

    answer = content_of(file_id, Accept=accept)

    assert (answer.status, answer.content, answer.is_base64) == (200, text, False)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="in.jsonl"'


@pytest.mark.parametrize("accept", ["application/binary", "application/octet-stream; q=1, */*"])
def test_other_bytes_come_as_base64_for_a_client_that_accepts_binary_types(
    files: FileStore, accept: str
) -> None:
    file_id = create(bytes(range(256)), "a.bin", "user_data").json["id"]

    answer = content_of(file_id, accept=accept)

    assert (answer.content, answer.is_base64) == (bytes(range(256)), True)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, application/binary"])
def test_other_bytes_come_from_s3_for_a_client_whose_base64_api_gateway_would_leave(
    files: FileStore, accept: str
) -> None:
    file_id = create(bytes(range(256)), "a.bin", "user_data").json["id"]

    answer = content_of(file_id, accept=accept)

    assert answer.status == 302
    assert f"/files/admin/{file_id}?" in answer.headers["location"]


def test_an_empty_file_has_empty_content(files: FileStore) -> None:
    answer = content_of(create(b"", "a.txt", "user_data").json["id"])

    assert (answer.status, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("wanted", "part", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-20", b"0123456789", "bytes 0-9/10"),
        ("bytes=9-100", b"9", "bytes 9-9/10"),
    ],
)
def test_a_range_is_answered_in_part(
    files: FileStore, wanted: str, part: bytes, content_range: str
) -> None:
    file_id = create(b"0123456789", "a.txt", "user_data").json["id"]

    answer = content_of(file_id, Range=wanted)

    assert (answer.status, answer.content, answer.headers["content-range"]) == (
        206,
        part,
        content_range,
    )


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(files: FileStore, wanted: str) -> None:
    file_id = create(b"0123456789", "a.txt", "user_data").json["id"]

    answer = content_of(file_id, Range=wanted)

    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")
    assert "10 bytes" in answer.error["message"]


@pytest.mark.parametrize(
    "wanted", ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "nonsense"]
)
def test_a_range_that_is_none_is_ignored(files: FileStore, wanted: str) -> None:
    file_id = create(b"0123456789", "a.txt", "user_data").json["id"]

    assert content_of(file_id, Range=wanted).status == 200


def test_half_a_character_is_no_text(files: FileStore) -> None:
    file_id = create("ä".encode(), "a.txt", "user_data").json["id"]

    half = content_of(file_id, Range="bytes=0-0", Accept="application/binary")

    assert (half.status, half.content, half.is_base64) == (206, b"\xc3", True)
    assert content_of(file_id, Range="bytes=0-0").status == 302


def test_content_over_5_mb_is_a_redirect_that_works_for_15_minutes(
    files: FileStore, objects: ObjectStore
) -> None:
    segment = objects.put("files/admin/file-1", b"x" * (INLINE_BYTES + 1))
    files.create(stored(bytes=segment.size, segments=[segment], filename="größe.jsonl"))

    answer = content_of("file-1", Accept="application/binary")

    assert answer.status == 302
    location = answer.headers["location"]
    assert "X-Amz-Expires=900" in location
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in location
    assert "filename%2A%3DUTF-8%27%27gr%25C3%25B6%25C3%259Fe.jsonl" in location


@pytest.mark.parametrize("content", [b'"' * 4_000_000, b"\xff" * 4_900_000])
def test_what_would_not_fit_into_lambda_s_answer_is_a_redirect(
    files: FileStore, objects: ObjectStore, content: bytes
) -> None:
    segment = objects.put("files/admin/file-1", content)
    files.create(stored(bytes=segment.size, segments=[segment]))

    assert content_of("file-1", Accept="application/binary").status == 302


def test_a_small_file_in_parts_is_read_together(files: FileStore, objects: ObjectStore) -> None:
    parts = [
        objects.put(f"uploads/admin/upload_1/part_{n}", text)
        for n, text in enumerate([b"ab", b"", b"c"])
    ]
    files.create(stored(segments=parts))

    assert content_of("file-1").content == b"abc"


def test_a_big_file_in_parts_is_asked_for_again_later(files: FileStore) -> None:
    parts = [
        Segment(key="uploads/admin/u/1", size=INLINE_BYTES),
        Segment(key="uploads/admin/u/2", size=1),
    ]
    files.create(stored(bytes=INLINE_BYTES + 1, segments=parts, created_at=wiring.now()))

    answer = content_of("file-1")

    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert files.get("admin", "file-1", NOW).join_asked_at is None


def test_a_join_that_seems_lost_is_asked_for_again_once(
    files: FileStore, objects: ObjectStore
) -> None:
    parts = [Segment(key="uploads/admin/u/1", size=INLINE_BYTES + 1)]
    files.create(stored(bytes=INLINE_BYTES + 1, segments=parts))
    clock = [NOW]
    contents = Contents(files, objects, lambda: clock[0])

    asked = []
    for clock[0] in (
        NOW + JOIN_LOST_SECONDS - 1,
        NOW + JOIN_LOST_SECONDS,
        NOW + JOIN_LOST_SECONDS + 1,
    ):
        with pytest.raises(StorageUnavailable):
            contents.answer("admin", "file-1", {})
        asked.append(files.get("admin", "file-1", NOW).join_asked_at)

    assert asked == [None, NOW + JOIN_LOST_SECONDS, NOW + JOIN_LOST_SECONDS]


def test_parts_that_are_just_being_moved_are_asked_for_again_later(files: FileStore) -> None:
    files.create(stored(segments=[Segment(key="uploads/admin/u/1", size=3)]))

    assert content_of("file-1").status == 503


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("in.jsonl", 'attachment; filename="in.jsonl"'),
        ("grün.txt", "attachment; filename=\"gr_n.txt\"; filename*=UTF-8''gr%C3%BCn.txt"),
        ('a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        (
            "a\r\nset-cookie: x",
            "attachment; filename=\"a__set-cookie: x\"; filename*=UTF-8''a%0D%0Aset-cookie%3A%20x",
        ),
    ],
)
def test_a_name_in_a_header_is_safe_and_whole(filename: str, header: str) -> None:
    assert content_disposition(filename) == header


def test_the_prefixes_of_the_path_are_optional(files: FileStore) -> None:
    for path in ("/files", "/v1/files", "/openai/v1/files"):
        assert get(path).status == 200


def test_a_base64_body_is_what_api_gateway_would_decode(files: FileStore) -> None:
    file_id = create(b"\xff", "a.bin", "user_data").json["id"]

    raw = handler(
        proxy_event("GET", f"/files/{file_id}/content", headers={"Accept": "application/binary"}),
        None,
    )

    assert (raw["isBase64Encoded"], base64.b64decode(raw["body"])) == (True, b"\xff")
