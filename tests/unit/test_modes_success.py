"""What wins a race, and what does not while another may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.modes.success import EMPTY, FILTERED, flaw_of, flaw_of_stream, has_content

from tests.unit.scripted_engine import END, ROLE, answer, chunk

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "delta", "content", "finish_reason"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        (answer("Hello"), None),
        (answer(None, message={"content": None, "tool_calls": [TOOL_CALL]}), None),
        (answer(None, message={"content": None, "function_call": {"name": "f"}}), None),
        (answer(None, message={"content": None, "audio": {"id": "audio_1"}}), None),
        (answer("Half", finish_reason="length"), None),
        (answer(""), EMPTY),
        (answer(None), EMPTY),
        (answer(None, message={"content": None, "tool_calls": []}), EMPTY),
        (answer(None, message={"content": None, "refusal": "I will not."}), EMPTY),
        (answer(None, message={"content": "", "reasoning_content": "Hm."}), EMPTY),
        (answer("Half", finish_reason="content_filter"), FILTERED),
        (answer("No", finish_reason="refusal"), FILTERED),
        ({"choices": []}, EMPTY),
        ({}, EMPTY),
    ],
)
def test_an_answer_needs_content_or_a_tool_call_and_no_filter(
    body: dict[str, Any], flaw: str | None
) -> None:
    assert flaw_of(body) == flaw


def test_one_good_choice_of_several_is_enough() -> None:
    [bad], [good] = answer("")["choices"], answer("Hello")["choices"]
    assert flaw_of({"choices": [bad, good]}) is None


@pytest.mark.parametrize(
    ("piece", "has"),
    [
        (chunk(content="H"), True),
        (chunk(tool_calls=[{"index": 0, "function": {"arguments": ""}}]), True),
        (ROLE, False),
        (chunk(reasoning_content="Hm."), False),
        (chunk(refusal="I will not."), False),
        (END, False),
        (chunk("content_filter", content="H"), False),
        (chunk("length", content="H"), True),
        ({"choices": []}, False),
    ],
)
def test_only_text_for_the_reader_or_a_tool_call_is_content_if_no_filter_cuts_it(
    piece: dict[str, Any], *, has: bool
) -> None:
    assert has_content(piece) is has


def test_a_stream_without_content_is_empty_or_was_filtered() -> None:
    assert flaw_of_stream([ROLE, END]) == EMPTY
    assert flaw_of_stream([]) == EMPTY
    assert flaw_of_stream([ROLE, chunk("content_filter")]) == FILTERED


@given(st.dictionaries(st.sampled_from(["choices", "id"]), JSON))
def test_no_answer_of_a_provider_is_an_exception(body: dict[str, Any]) -> None:
    assert flaw_of(body) in {None, EMPTY, FILTERED}
    assert flaw_of_stream([body]) in {EMPTY, FILTERED}
    assert has_content(body) in {True, False}
