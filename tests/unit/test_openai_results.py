"""What an OpenAI-compatible provider says, as our values: whatever it says, nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.line_ids import number_in
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import Ending
from nightmail.providers.base import Phase
from nightmail.providers.native_results import Reading
from nightmail.providers.openai.card import BATCHES
from nightmail.providers.openai_protocol.batch_results import to_outcome, to_progress
from nightmail.usage import Usage, usage_of

from tests.unit.machine import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
READING = Reading("openai", "the whole key", "m", lambda text: number_in(text, "b"))
FIELDS = ("status", "errors", "request_counts", "output_file_id", "error_file_id")


# ---- Batches


@pytest.mark.parametrize(
    ("status", "phase", "ending"),
    [
        ("validating", Phase.RUNNING, None),
        ("in_progress", Phase.RUNNING, None),
        ("finalizing", Phase.RUNNING, None),
        ("cancelling", Phase.RUNNING, None),
        ("reticulating", Phase.RUNNING, None),
        ("completed", Phase.ENDED, Ending.COMPLETED),
        ("failed", Phase.ENDED, Ending.FAILED),
        ("expired", Phase.ENDED, Ending.EXPIRED),
        ("cancelled", Phase.ENDED, Ending.CANCELLED),
    ],
)
def test_a_status_is_a_phase_and_an_ending(
    status: str, phase: Phase, ending: Ending | None
) -> None:
    progress = to_progress({"status": status}, BATCHES)
    assert (progress.phase, progress.ending, progress.status) == (phase, ending, status)


def test_empty_file_ids_are_none() -> None:
    assert to_progress({"output_file_id": "file-1", "error_file_id": ""}, BATCHES).output_ids == [
        "file-1"
    ]


@pytest.mark.parametrize("errors", [[{"code": "c"}], {"data": [{"code": "c"}]}])
def test_errors_may_come_with_or_without_a_list_object(errors: Any) -> None:
    assert [error.code for error in to_progress({"errors": errors}, BATCHES).errors] == ["c"]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_no_batch_object_breaks_the_reader(batch: Json) -> None:
    to_progress(batch, BATCHES)


# ---- Lines of result files


def result(number: int | str, body: Any = None, **changes: Any) -> bytes:
    response = {"status_code": 200, "body": {"model": "x"} if body is None else body}
    entry = {"custom_id": f"b-{number}", "response": response, "error": None, **changes}
    return orjson.dumps(entry) + b"\n"


def read(content: bytes) -> Outcome | None:
    found = to_outcome(content, READING)
    return found and found[0]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_success_is_a_status_of_2xx_without_an_error(status: int) -> None:
    outcome = read(result(1, response={"status_code": status, "body": {}}))
    assert outcome
    assert outcome.kind is Kind.ANSWERED


@pytest.mark.parametrize("status", [400, 429, 500, 0, None, "200"])
def test_another_status_is_a_refusal_whose_body_is_kept(status: Any) -> None:
    error = {"message": "No.", "type": "some_error", "param": None, "code": "c", "more": [1]}
    response = {"status_code": status, "body": {"error": error}}
    outcome = read(result(1, response=response))
    assert outcome == Outcome(1, Kind.REFUSED, response=response)


@pytest.mark.parametrize("response", [None, {"status_code": 200, "body": {"model": "x"}}])
def test_an_error_beside_an_answer_is_a_failure_that_keeps_both(response: Json | None) -> None:
    outcome = read(result(1, response=response, error={"code": "c", "message": "m"}))
    assert outcome == Outcome(1, Kind.FAILED, response, {"code": "c", "message": "m"})


def test_a_failure_tells_no_secret() -> None:
    outcome = read(result(1, response=None, error={"code": "c", "message": "Bad: the whole key"}))
    assert outcome
    assert outcome.error == {"code": "c", "message": "Bad: ***"}


@pytest.mark.parametrize("body", [[], "text", 5])
def test_a_success_without_an_answer_is_a_failure(body: Any) -> None:
    outcome = read(result(1, body))
    assert outcome
    assert outcome.kind is Kind.FAILED
    assert outcome.error


@pytest.mark.parametrize("custom_id", ["", "-1", "1.5", "٣", "x", "9" * 5000, "None"])
def test_a_custom_id_that_is_no_line_number_is_garbage(custom_id: str) -> None:
    assert read(result(custom_id)) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [(b"half \\ud83d an emoji", "half ? an emoji"), (b"bytes \xff\xfe", "bytes \ufffd\ufffd")],
)
def test_an_answer_in_broken_unicode_is_kept(text: bytes, kept: str) -> None:
    outcome = read(result(1, {"text": "TEXT"}).replace(b"TEXT", text))
    assert outcome
    assert outcome.response
    assert outcome.response["body"]["text"] == kept


def test_an_answer_with_a_number_that_is_none_is_kept() -> None:
    outcome = read(result(1, {"logprob": 5}).replace(b"5", b"NaN"))
    assert outcome
    assert outcome.response
    assert outcome.response["body"]["logprob"] is None


def test_an_answer_that_is_nested_too_deeply_is_a_failure() -> None:
    deep = result(1, {"deep": 5}).replace(b"5", b"[" * 300 + b"]" * 300)
    outcome = read(deep)
    assert outcome
    assert outcome.kind is Kind.FAILED


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_break_the_reader_of_results(content: bytes) -> None:
    read(content)


@given(JSON, JSON)
def test_every_result_that_is_read_can_be_written(response: Any, error: Any) -> None:
    entry = {"custom_id": "b-1", "response": response, "error": error}
    outcome = read(json.dumps(entry).encode())
    if outcome:
        to_row(outcome)


def test_usage_is_read_in_the_words_of_both_apis() -> None:
    chat = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    responses = {
        "input_tokens": 9,
        "output_tokens": 4,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    expected = Usage(
        input_tokens=9,
        cached_tokens=2,
        cache_write_tokens=1,
        output_tokens=4,
        reasoning_tokens=3,
    )
    assert usage_of({"usage": chat}) == usage_of({"usage": responses}) == expected


@given(JSON)
def test_no_usage_breaks_the_reader(usage: Any) -> None:
    usage_of({"usage": usage})
