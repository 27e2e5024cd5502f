"""The contents of files, through the function: text, other bytes, ranges, redirects."""

from __future__ import annotations

import base64

import pytest
from nightmail import wiring
from nightmail.api.content import INLINE_BYTES, JOIN_LOST_SECONDS, Contents, content_disposition
from nightmail.file import Segment
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

from functions.files.handler import handler
from tests.unit.file_requests import NOW, content_of, create, stored
from tests.unit.gateway import proxy_event


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

    assert (answer.status, answer.headers["retry-after"]) == (503, "3")
    assert answer.error["code"] == "file_not_ready"
    assert files.get("admin", "file-1", NOW).join_asked_at is None


@pytest.mark.parametrize(("size", "seconds"), [(200 * 1024**2, "5"), (8 * 1024**3, "60")])
def test_a_bigger_file_is_asked_for_later(files: FileStore, size: int, seconds: str) -> None:
    parts = [Segment(key="uploads/admin/u/1", size=size)]
    files.create(stored(bytes=size, segments=parts, created_at=wiring.now()))

    assert content_of("file-1").headers["retry-after"] == seconds


def test_a_join_that_seems_lost_is_asked_for_again_once(
    files: FileStore, objects: ObjectStore
) -> None:
    parts = [Segment(key="uploads/admin/u/1", size=INLINE_BYTES + 1)]
    files.create(stored(bytes=INLINE_BYTES + 1, segments=parts))
    clock = [NOW]
    contents = Contents(files, objects, lambda: clock[0])

    asked = []
    for seconds in (JOIN_LOST_SECONDS - 1, JOIN_LOST_SECONDS, JOIN_LOST_SECONDS + 1):
        clock[0] = NOW + seconds
        assert contents.answer("admin", "file-1", {}).status_code == 503
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


def test_a_base64_body_is_what_api_gateway_would_decode(files: FileStore) -> None:
    file_id = create(b"\xff", "a.bin", "user_data").json["id"]

    raw = handler(
        proxy_event("GET", f"/files/{file_id}/content", headers={"Accept": "application/binary"}),
        None,
    )

    assert (raw["isBase64Encoded"], base64.b64decode(raw["body"])) == (True, b"\xff")
