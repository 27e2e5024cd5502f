"""OpenAI's messages as Cohere's."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.errors import InvalidRequest

from tests.unit.cohere_calls import sent, turns

CALL = {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
WRITTEN_OUT = {"name": "f", "arguments": {"a": 1}}
USER = {"role": "user", "content": "Hi"}
IMAGE = "data:image/png;base64,AAAA"


def test_a_question_stays_as_it_is() -> None:
    assert turns(USER) == [USER]


def test_all_system_prompts_are_one_in_front() -> None:
    late = {"role": "developer", "content": [{"type": "text", "text": "B"}, text("C")]}
    first = {"role": "system", "content": "A"}
    assert turns(first, USER, late) == [{"role": "system", "content": "A\n\nB\n\nC"}, USER]


def test_an_empty_system_prompt_is_left_out() -> None:
    assert turns({"role": "system", "content": ""}, USER) == [USER]


def test_names_of_speakers_are_left_out() -> None:
    assert turns({**USER, "name": "Ann"}) == [USER]


@pytest.mark.parametrize("url", [IMAGE, "https://example.com/cat.png"])
def test_an_image_goes_by_its_url(url: str) -> None:
    image = {"type": "image_url", "image_url": {"url": url}}
    assert turns({"role": "user", "content": [text("What?"), image]}) == [
        {"role": "user", "content": [text("What?"), image]}
    ]


def test_the_detail_of_an_image_is_kept() -> None:
    image = {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}}
    assert turns({"role": "user", "content": [image]})[0]["content"] == [image]


def test_a_part_loses_what_cohere_does_not_know() -> None:
    part = {**text("Hi"), "cache_control": {"type": "ephemeral"}}
    assert turns({"role": "user", "content": [part]})[0]["content"] == [text("Hi")]


def test_an_answer_in_parts_keeps_its_refusals() -> None:
    parts = [text("I would,"), {"type": "refusal", "refusal": "but I may not."}]
    assert turns(USER, {"role": "assistant", "content": parts})[1] == {
        "role": "assistant",
        "content": [text("I would,"), text("but I may not.")],
    }


def test_an_answer_without_content_and_calls_is_an_empty_one() -> None:
    empty = {"role": "assistant", "content": ""}
    assert turns({"role": "assistant", "content": None})[0] == empty
    assert turns({"role": "assistant", "tool_calls": None})[0] == empty


def test_calls_and_results_go_with_their_ids() -> None:
    second = {**CALL, "id": "f_2"}
    results: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": "f_1", "content": "1"},
        {"role": "tool", "tool_call_id": "f_2", "content": [text("2")]},
    ]
    called = {"role": "assistant", "content": None, "tool_calls": [CALL, second]}
    assert turns(USER, called, *results) == [
        USER,
        {"role": "assistant", "tool_calls": [CALL, second]},
        *results,
    ]


def test_what_was_said_beside_a_call_is_kept() -> None:
    called = {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]}
    assert turns(called) == [called]


def test_a_call_without_arguments_has_none_as_an_object() -> None:
    function = {"name": "f", "arguments": ""}
    called = {"role": "assistant", "tool_calls": [{**CALL, "function": function}]}
    assert turns(called)[0]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_the_plan_goes_back_with_the_calls_that_it_led_to() -> None:
    called = {"role": "assistant", "reasoning_content": "Ask f.", "tool_calls": [CALL]}
    assert turns(called)[0]["tool_plan"] == "Ask f."


def test_other_reasoning_does_not_go_back() -> None:
    said = {"role": "assistant", "reasoning_content": "Hm.", "content": "Yes"}
    assert turns(said) == [{"role": "assistant", "content": "Yes"}]


def test_a_result_may_be_a_document_of_coheres() -> None:
    part = {"type": "document", "document": {"data": {"a": "b"}}}
    result = {"role": "tool", "tool_call_id": "f_1", "content": [part]}
    assert turns(result) == [result]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ("Hi", "messages"),
        (["Hi"], "messages[0]"),
        ([{"content": "Hi"}], "messages[0].role"),
        ([{"role": "function", "name": "f", "content": "1"}], "messages[0].role"),
        ([{"role": ["user"], "content": "Hi"}], "messages[0].role"),
        ([USER, {"role": "user"}], "messages[1].content"),
        ([{"role": "system", "content": 1}], "messages[0].content"),
        ([{"role": "system", "content": [{"type": "image_url"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": ["Hi"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        (
            [{"role": "user", "content": [{"type": "input_audio"}]}],
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": [{"type": "file"}]}], "messages[0].content[0].type"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
            "messages[0].content[0].image_url",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
            "messages[0].content[0].image_url.url",
        ),
        (
            [{"role": "assistant", "content": [{"type": "refusal"}]}],
            "messages[0].content[0].refusal",
        ),
        ([{"role": "assistant", "content": 1}], "messages[0].content"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": ["x"]}], "messages[0].tool_calls[0]"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].function"),
        (
            [{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}],
            "messages[0].tool_calls[0].id",
        ),
        (
            [{"role": "assistant", "tool_calls": [{**CALL, "function": {}}]}],
            "messages[0].tool_calls[0].function.name",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"id": "f", "function": WRITTEN_OUT}]}],
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            [{"role": "assistant", "tool_calls": [CALL], "reasoning_content": 1}],
            "messages[0].reasoning_content",
        ),
        ([{"role": "tool", "content": "1"}], "messages[0].tool_call_id"),
        ([{"role": "tool", "tool_call_id": "f_1"}], "messages[0].content"),
        (
            [{"role": "tool", "tool_call_id": "f", "content": [{"type": "document"}]}],
            "messages[0].content[0].document",
        ),
    ],
)
def test_what_is_wrong_is_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent({"messages": messages})
    assert refused.value.param == param
    assert f"'{param}'" in refused.value.message


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        (1, "invalid_type", "Invalid type for 'messages[0]': expected an object."),
        (
            {"role": "user", "content": 1},
            "invalid_type",
            "Invalid type for 'messages[0].content': expected a string or an array.",
        ),
        (
            {"role": "tool", "tool_call_id": 1},
            "invalid_type",
            "Invalid type for 'messages[0].tool_call_id': expected a string.",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio"}]},
            "invalid_value",
            "Invalid value for 'messages[0].content[0].type': Cohere takes text, image_url there.",
        ),
    ],
)
def test_what_cohere_takes_instead_is_told(message: Any, code: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        turns(message)
    assert (refused.value.code, refused.value.message) == (code, told)


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}
