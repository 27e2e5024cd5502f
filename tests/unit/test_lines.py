"""Lines of an input file: cut at any chunking, read without an exception, checked as OpenAI does."""

from __future__ import annotations

from itertools import accumulate, pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.batch import BatchError
from nightmail.endpoints import ENDPOINTS
from nightmail.lines import MAX_LINE_BYTES, Line, cut_lines, read_line
from nightmail.parameters import DESTINATIONS

from tests.unit.machine import Json
from tests.unit.world import CHAT, as_jsonl, request

CONTENTS = st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def read(line: Json | bytes, endpoint: str | None = None) -> Line | BatchError | None:
    content = line if isinstance(line, bytes) else as_jsonl([line]).rstrip(b"\n")
    return read_line(content, 7, endpoint)


def error(line: Json | bytes) -> tuple[str, str | None]:
    found = read(line)
    assert isinstance(found, BatchError)
    assert found.line == 7
    return found.code, found.param


def body(**changes: object) -> Json:
    line = request(1)
    line["body"] = {**line["body"], **changes}
    return line


def chunked(content: bytes, sizes: list[int]) -> list[bytes]:
    ends = [0, *accumulate(sizes)]
    pieces = [content[start:end] for start, end in pairwise(ends)]
    return [*pieces, content[ends[-1] :]]


# ---- Cutting


@given(CONTENTS, st.lists(st.integers(0, 5)), st.booleans())
def test_cutting_undoes_joining_however_the_stream_is_chunked(
    lines: list[bytes], sizes: list[int], has_last_newline: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if has_last_newline else b"")
    cut = list(cut_lines(chunked(content, sizes)))
    whole = b"".join((raw.content or b"") + b"\n" for raw in cut)
    assert whole in (content, content + b"\n")
    assert [raw.content for raw in cut] == content.removesuffix(b"\n").split(b"\n")[: len(cut)]


@given(CONTENTS, st.lists(st.integers(0, 5)), st.integers(0, 9))
def test_every_line_says_where_the_next_begins(
    lines: list[bytes], sizes: list[int], start: int
) -> None:
    content = b"\n".join(lines)
    cut = list(cut_lines(chunked(content, sizes), start))
    for number, raw in enumerate(cut, 1):
        rest = list(cut_lines([content[raw.end - start :]], raw.end))
        assert rest == cut[number:]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.lists(st.integers(1, 5)))
def test_a_line_over_the_limit_is_not_kept_and_its_neighbours_are(
    lengths: list[int], sizes: list[int]
) -> None:
    content = b"".join(b"x" * length + b"\n" for length in lengths)
    kept = [raw.content for raw in cut_lines(chunked(content, sizes), 0, limit=5)]
    assert kept == [b"x" * length if length <= 5 else None for length in lengths]


# ---- Reading


@given(st.binary() | st.text().map(str.encode) | JSON.map(orjson.dumps))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    assert not isinstance(read(content), Line)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("custom_id", "method", "url", "body"), JSON)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("model", "messages", "stream"), JSON)),
)
def test_no_fields_break_the_checks(changes: Json, body_changes: Json) -> None:
    line = {**body(**body_changes), **changes}
    found = read(orjson.dumps(line))
    assert isinstance(found, Line | BatchError)


@given(st.text(min_size=1, max_size=600))
def test_any_custom_id_is_taken(custom_id: str) -> None:
    found = read(orjson.dumps({**request(1), "custom_id": custom_id}))
    assert isinstance(found, Line)
    assert found.custom_id == custom_id


@pytest.mark.parametrize("blank", [b"", b"\r", b" \t\r"])
def test_blank_lines_are_nothing(blank: bytes) -> None:
    assert read(blank) is None


def test_a_carriage_return_does_not_hurt() -> None:
    assert isinstance(read(as_jsonl([request(1)]).replace(b"\n", b"\r")), Line)


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b"[]",
        b'"text"',
        b"null",
        b"\xef\xbb\xbf" + as_jsonl([request(1)]),
        as_jsonl([request(1)]).decode().encode("utf-16"),
        b'{"custom_id": "\xff"}',
        b'{"custom_id": "\\ud83d"}',
        b'{"temperature": NaN}',
        b'{"custom_id": "c"',
        b"[" * 2000,
        b'{"deep":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
    ids=[
        "words",
        "array",
        "string",
        "null",
        "bom",
        "utf16",
        "latin1",
        "half_an_emoji",
        "nan",
        "cut",
        "brackets",
        "depth",
    ],
)
def test_what_is_no_json_object_is_an_invalid_line(content: bytes) -> None:
    assert error(content) == ("invalid_json_line", None)


def test_many_brackets_are_not_yet_depth() -> None:
    assert isinstance(read(body(stop=[[] for _ in range(300)])), Line)


def test_a_line_that_was_too_long_to_keep_says_so() -> None:
    found = read_line(None, 3, CHAT)
    assert isinstance(found, BatchError)
    assert (found.code, found.line) == ("line_too_long", 3)
    assert str(MAX_LINE_BYTES) in found.message


@pytest.mark.parametrize("name", ["custom_id", "method", "url", "body"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_field_is_named(name: str, value: str | None) -> None:
    assert error({**request(1), name: value}) == ("missing_required_parameter", name)
    left = request(1)
    del left[name]
    assert error(left) == ("missing_required_parameter", name)


@pytest.mark.parametrize(
    ("name", "value"), [("custom_id", 1), ("method", ["POST"]), ("url", {"a": 1}), ("body", "text")]
)
def test_a_field_of_the_wrong_type_is_named(name: str, value: object) -> None:
    assert error({**request(1), name: value}) == ("invalid_type", name)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({**request(1), "method": "GET"}, ("invalid_method", "method")),
        ({**request(1), "url": "/v1/files"}, ("invalid_url", "url")),
        (body(model=None), ("invalid_request", "body.model")),
        (body(model=""), ("invalid_request", "body.model")),
        (body(model=5), ("invalid_type", "body.model")),
        (body(model="m" * 600), ("invalid_request", "body.model")),
        (body(stream=True), ("streaming_unsupported", "body.stream")),
        (body(messages=None), ("invalid_request", "body.messages")),
        (body(messages=[]), ("invalid_request", "body.messages")),
    ],
)
def test_what_openai_refuses_is_refused_in_its_words(line: Json, expected: tuple[str, str]) -> None:
    assert error(line) == expected


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_nobody_chooses_in_a_line_where_keys_go(name: str) -> None:
    found = read(body(**{name: "sk-mine"}))
    assert isinstance(found, BatchError)
    assert (found.code, found.param) == ("unsupported_parameter", f"body.{name}")
    assert "config" in found.message
    assert "sk-mine" not in found.message
    assert isinstance(read(body(**{name: None})), Line)


@pytest.mark.parametrize(
    ("drops", "is_kept"), [(True, True), (None, True), ("yes", False), (1, False)]
)
def test_drop_params_is_a_boolean(drops: object, is_kept: bool) -> None:
    line = body(drop_params=drops)
    if is_kept:
        assert isinstance(read(line), Line)
    else:
        assert error(line) == ("invalid_type", "body.drop_params")


def test_messages_are_asked_of_chats_only() -> None:
    line = {**request(1), "url": "/v1/embeddings", "body": {"model": "m", "input": "text"}}
    assert isinstance(read(line), Line)


@pytest.mark.parametrize("url", ENDPOINTS)
def test_a_line_may_be_for_any_endpoint_of_a_batch_or_for_one_alone(url: str) -> None:
    line = {**request(1), "url": url}
    assert isinstance(read(line), Line)
    assert isinstance(read(line, url), Line)
    other = read(line, "/v1/other")
    assert isinstance(other, BatchError)
    assert (other.code, other.param) == ("invalid_url", "url")


def test_what_is_no_endpoint_of_a_batch_is_told_those_that_are() -> None:
    found = read({**request(1), "url": "/v1/files"})
    assert isinstance(found, BatchError)
    assert all(url in found.message for url in ENDPOINTS)


def test_a_stream_that_is_not_wanted_is_fine() -> None:
    assert isinstance(read(body(stream=False)), Line)


@pytest.mark.parametrize(
    ("number", "is_kept"),
    [
        ("9223372036854775807", True),
        ("123456789012345678901", False),
        ('"12345678901234567890"', True),
    ],
)
def test_a_number_that_would_lose_digits_is_refused(number: str, is_kept: bool) -> None:
    body = f'{{"model": "m", "messages": [1], "seed": {number}}}'
    text = f'{{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {body}}}'
    found = read_line(text.encode(), 1, "/v1/chat/completions")
    assert isinstance(found, Line) is is_kept
