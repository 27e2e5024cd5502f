"""The Files API, through its function: create, list, retrieve, delete."""

from __future__ import annotations

import boto3
import pytest
from nightmail import wiring
from nightmail.new_file import PURPOSES
from nightmail.stores.files import FileStore

from functions.files.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.file_requests import LINE, NOW, content_of, create, get, stored
from tests.unit.gateway import ask, proxy_event
from tests.unit.multipart import Given, form, form_event

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


def test_the_prefixes_of_the_path_are_optional(files: FileStore) -> None:
    for path in ("/files", "/v1/files", "/openai/v1/files"):
        assert get(path).status == 200
