"""Parts that go straight to S3, by presigned URLs."""

from __future__ import annotations

from urllib.parse import urlsplit

import boto3
import pytest
from nightmail.api.part_urls import MAX_PARTS, part_bytes, part_count
from nightmail.api.uploads import UPLOAD_SECONDS, Uploads
from nightmail.file import Upload
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.uploads import UploadStore

from functions.uploads.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import ask, proxy_event
from tests.unit.upload_requests import (
    LINES,
    NOW,
    WANTED,
    begin,
    complete,
    content_of,
    post,
)


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
