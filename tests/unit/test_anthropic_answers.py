"""Anthropic's messages as OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.providers.anthropic.answer import to_completion
from nightmail.providers.anthropic.answer_format import ANSWER_TOOL
from nightmail.usage import usage_of

from tests.unit.anthropic_events import message, text, tool_use, usage
from tests.unit.machine import Json


def answered(given: Json, *, functions: bool = False) -> Json:
    completion = to_completion(given, created=1_800_000_000, functions=functions)
    assert completion is not None
    return completion


def said(given: Json, *, functions: bool = False) -> Json:
    result: Json = answered(given, functions=functions)["choices"][0]["message"]
    return result


def reason(given: Json, *, functions: bool = False) -> Any:
    return answered(given, functions=functions)["choices"][0]["finish_reason"]


def test_an_answer_has_openais_shape_and_the_providers_id() -> None:
    assert answered(message(text("Hello "), text("there."))) == {
        "id": "msg_01",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 5,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": None,
    }


def test_tool_calls_have_their_arguments_as_text() -> None:
    given = message(
        tool_use("a", {"city": "Oslo"}), tool_use("b", {}, "now"), stop_reason="tool_use"
    )
    assert said(given) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
            },
            {"id": "b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        ],
    }
    assert reason(given) == "tool_calls"
    assert said(message(text("Look:"), tool_use("a", {})))["content"] == "Look:"


def test_who_asked_with_functions_gets_a_function_call() -> None:
    given = message(tool_use("a", {"city": "Oslo"}), stop_reason="tool_use")
    assert said(given, functions=True) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
    }
    assert reason(given, functions=True) == "function_call"
    assert reason(message(text("Hi")), functions=True) == "stop"


def test_thoughts_can_be_read_and_sent_back() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    answer = said(message(thought, hidden, text("Yes")))
    assert answer["content"] == "Yes"
    assert answer["reasoning_content"] == "Hm."
    assert answer["thinking_blocks"] == [thought, hidden]


def test_the_input_of_the_answer_tool_is_the_answer() -> None:
    answer = tool_use("a", {"colour": "red"}, ANSWER_TOOL)
    given = message(answer, stop_reason="tool_use")
    assert said(given) == {
        "role": "assistant",
        "content": '{"colour":"red"}',
        "refusal": None,
    }
    assert reason(given) == "stop"
    both = message(answer, tool_use("b", {}), stop_reason="tool_use")
    assert len(said(both)["tool_calls"]) == 1
    assert reason(both) == "tool_calls"


def test_a_refusal_tells_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Too dangerous."}
    given = message(stop_reason="refusal", stop_details=details)
    assert said(given) == {"role": "assistant", "content": "", "refusal": "Too dangerous."}
    assert reason(given) == "content_filter"


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("compaction", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("a_new_one", "stop"),
        (None, "stop"),
        (["tool_use"], "stop"),
    ],
)
def test_why_it_ended_is_said_in_openais_words(stop_reason: Any, expected: str) -> None:
    assert reason(message(tool_use("a", {}), stop_reason=stop_reason)) == expected


def test_tokens_of_the_cache_count_as_prompt_and_thoughts_as_completion() -> None:
    tokens = usage(
        10,
        50,
        cache_read_input_tokens=40,
        cache_creation_input_tokens=7,
        output_tokens_details={"thinking_tokens": 30},
    )
    body = answered(message(text("Hi"), usage=tokens))
    assert body["usage"] == {
        "prompt_tokens": 57,
        "completion_tokens": 50,
        "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    counted = usage_of(body)
    assert (counted.input_tokens, counted.cached_tokens) == (57, 40)
    assert (counted.output_tokens, counted.reasoning_tokens) == (50, 30)


def test_tokens_that_are_cached_for_an_hour_are_told_beside_the_others() -> None:
    tokens = usage(
        10,
        50,
        cache_creation_input_tokens=7,
        cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
    )
    body = answered(message(text("Hi"), usage=tokens))
    counted = usage_of(body)
    assert counted.input_tokens == 17
    assert (counted.cache_write_tokens, counted.cache_write_1h_tokens) == (7, 3)


@pytest.mark.parametrize(
    "tokens", [None, "many", {"input_tokens": -1, "output_tokens": "x", "output_tokens_details": 5}]
)
def test_tokens_that_are_no_counts_are_none(tokens: Any) -> None:
    assert answered(message(text("Hi"), usage=tokens))["usage"]["total_tokens"] == 0


def test_blocks_of_other_kinds_are_passed_over() -> None:
    given = message({"type": "server_tool_use", "id": "x"}, text("Hi"), {"type": "text", "text": 5})
    given["content"].append("garbage")
    assert said(given)["content"] == "Hi"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"id": "msg_1"},
        {"id": "msg_1", "content": "Hi"},
        {"content": []},
        {"id": "msg_1", "content": [{"type": "tool_use", "name": "f"}]},
        {"id": "msg_1", "content": [{"type": "tool_use", "id": "a", "name": 5}]},
    ],
)
def test_what_is_no_message_is_no_answer(given: Json) -> None:
    assert to_completion(given, created=0, functions=False) is None
