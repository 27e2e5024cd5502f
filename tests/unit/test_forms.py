"""Multipart forms."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.api.forms import Form, FormFile, parse_form
from nightmail.errors import InvalidRequest

from tests.unit.multipart import form

HAND_MADE = "multipart/form-data; boundary=edge"


def test_fields_and_files_are_read_as_a_client_writes_them() -> None:
    body, content_type = form(
        {
            "purpose": "batch",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
        },
        {"file": ("in.jsonl", b"\x00\xff\r\n--", "application/jsonl")},
    )

    parsed = parse_form(body, content_type, "file")

    assert parsed.fields["purpose"] == "batch"
    assert parsed.nested("expires_after") == {"anchor": "created_at", "seconds": "3600"}
    assert parsed.file("file") == FormFile(b"\x00\xff\r\n--", "in.jsonl", "application/jsonl")


@given(
    content=st.binary(max_size=2000),
    filename=st.from_regex(r"[\wäöü€漢 .()-]{1,40}\.jsonl", fullmatch=True),
)
def test_every_content_and_name_comes_through_unchanged(content: bytes, filename: str) -> None:
    body, content_type = form({}, {"file": (filename, content)})

    parsed = parse_form(body, content_type, "file").file("file")

    assert (parsed.content, parsed.filename) == (content, filename)


def test_a_file_without_a_name_is_read_from_a_field() -> None:
    body = b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--edge--\r\n'

    assert parse_form(body, HAND_MADE, "file").file("file") == FormFile(b"hello")


def test_a_file_over_a_megabyte_stays_in_memory() -> None:
    body, content_type = form({}, {"file": ("big.bin", bytes(3_000_000))})

    assert len(parse_form(body, content_type, "file").file("file").content) == 3_000_000


def test_fields_that_nobody_knows_are_kept_and_do_no_harm() -> None:
    body, content_type = form(
        {"target_model_names": "a,b", "[": "x", "litellm_metadata[k]": "v"}, {"file": b"x"}
    )

    assert parse_form(body, content_type, "file").fields["target_model_names"] == "a,b"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidRequest, match="'file'") as refusal:
        Form().file("file")

    assert (refusal.value.param, refusal.value.code) == ("file", "missing_required_parameter")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", HAND_MADE),
        (b"not a form at all", HAND_MADE),
        (b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nno end', HAND_MADE),
        (b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--other--', HAND_MADE),
        (b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n", HAND_MADE),
        (b"--edge\r\nContent Disposition\r\n\r\nx\r\n--edge--\r\n", HAND_MADE),
        (b"--edge--\r\n", "multipart/form-data"),
        (b"--edge--\r\n", "multipart/form-data; boundary="),
        (b'{"purpose": "batch"}', "application/json"),
        (b"x", None),
        (b"x", "multipart/form-data; boundary=" + "e" * 300),
    ],
)
def test_a_broken_form_is_refused_and_names_the_file_field(
    body: bytes, content_type: str | None
) -> None:
    with pytest.raises(InvalidRequest, match="'data'") as refusal:
        parse_form(body, content_type, "data")

    assert refusal.value.param == "data"


@given(st.binary(max_size=300))
def test_no_body_crashes_the_parser(noise: bytes) -> None:
    for body in (noise, b"--edge\r\n" + noise, noise + b"\r\n--edge--\r\n"):
        with suppress(InvalidRequest):
            assert isinstance(parse_form(body, HAND_MADE, "file"), Form)
