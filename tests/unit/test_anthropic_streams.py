"""Anthropic's streams of events as OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.providers.anthropic.answer_format import ANSWER_TOOL
from nightmail.providers.anthropic.stream import MessageReader
from nightmail.providers.conversion.chunks import Chunks

from tests.unit.anthropic_events import (
    PING,
    closed,
    end,
    event,
    failure,
    opened,
    part,
    start,
    text,
    text_block,
    tool_block,
    tool_use,
    usage,
)
from tests.unit.machine import Json

KEY = "a key that looks like nothing"
PLAIN = start() + PING + text_block(0, "Good ", "day") + end()
THOUGHTS = (
    opened(0, {"type": "thinking", "thinking": "", "signature": ""})
    + part(0, "thinking_delta", thinking="")
    + part(0, "thinking_delta", thinking="H")
    + part(0, "thinking_delta", thinking="m.")
    + part(0, "signature_delta", signature="c2ln")
    + closed(0)
)
HIDDEN = {"type": "redacted_thinking", "data": "eA=="}
EVERYTHING = (
    start()
    + THOUGHTS
    + opened(1, HIDDEN)
    + closed(1)
    + text_block(2, "Grüße", " 🌙")
    + tool_block(3, "a", "", '{"city":', '"Oslo"}')
    + tool_block(4, "b", name="now")
    + end("tool_use")
)


def reader(*, functions: bool = False, include_usage: bool = False) -> MessageReader:
    options = Chunks("public", 1_800_000_000, include_usage)
    return MessageReader("anthropic", KEY, options, functions=functions)


def chunks(stream: bytes, **options: Any) -> list[Json]:
    machine = reader(**options)
    found = machine.feed(stream)
    machine.close()
    return found


def deltas(stream: bytes, **options: Any) -> list[Json]:
    return [choice["delta"] for chunk in chunks(stream, **options) for choice in chunk["choices"]]


def outcome(pieces: Iterable[bytes]) -> tuple[list[Json], str | None]:
    """All chunks, and the error that ended them."""
    machine, found = reader(include_usage=True), list[Json]()
    try:
        for piece in pieces:
            found += machine.feed(piece)
        machine.close()
    except ProviderError as error:
        return found, f"{type(error).__name__}: {error.message}"
    return found, None


def test_a_text_comes_as_openais_chunks() -> None:
    common = {
        "id": "msg_01",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": "public",
    }
    first = {"role": "assistant", "content": "", "refusal": None}
    told = [(first, None), ({"content": "Good "}, None), ({"content": "day"}, None), ({}, "stop")]
    assert chunks(PLAIN) == [
        {
            **common,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        }
        for delta, reason in told
    ]


def test_usage_comes_last_and_by_itself_where_it_was_asked_for() -> None:
    *others, last = chunks(PLAIN, include_usage=True)
    assert [chunk["usage"] for chunk in others] == [None] * 4
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 12
    assert last["usage"]["completion_tokens"] == 5


def test_the_last_counts_are_the_whole_and_those_of_the_input_are_kept() -> None:
    cached = usage(10, 1, cache_read_input_tokens=90)
    later = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}}
    begun = event("message_start", message={"id": "msg_01", "usage": cached})
    ended = event(
        "message_delta",
        delta={"stop_reason": "end_turn"},
        usage={**later, "cache_read_input_tokens": None},
    )
    *_, last = chunks(begun + ended + event("message_stop"), include_usage=True)
    assert last["usage"] == {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }


def test_tool_calls_come_in_pieces_that_their_index_joins() -> None:
    stream = start() + tool_block(0, "a", "", '{"city":', '"Oslo"}') + end("tool_use")
    assert deltas(stream)[1:-1] == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "a",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]},
    ]
    assert chunks(stream)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_index_counts_calls_and_not_blocks() -> None:
    stream = start() + text_block(0, "Look:") + tool_block(1, "a") + tool_block(2, "b") + end()
    calls = [call for delta in deltas(stream) for call in delta.get("tool_calls", [])]
    assert [call["index"] for call in calls] == [0, 0, 1, 1]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    stream = start() + tool_block(0, "a", "") + end("tool_use")
    assert deltas(stream)[2] == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_arguments_that_come_whole_are_kept() -> None:
    stream = start() + opened(0, tool_use("a", {"b": 1})) + closed(0) + end("tool_use")
    calls = [call for delta in deltas(stream) for call in delta.get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"b":1}'


def test_who_asked_with_functions_gets_one_function_call() -> None:
    stream = start() + tool_block(0, "a", '{"b":1}') + tool_block(1, "b", "{}") + end("tool_use")
    assert deltas(stream, functions=True)[1:-1] == [
        {"function_call": {"name": "get_weather", "arguments": ""}},
        {"function_call": {"arguments": '{"b":1}'}},
    ]
    assert chunks(stream, functions=True)[-1]["choices"][0]["finish_reason"] == "function_call"


def test_thoughts_come_as_they_are_thought_and_whole_when_they_are_signed() -> None:
    stream = start() + THOUGHTS + opened(1, HIDDEN) + closed(1) + end()
    assert deltas(stream)[1:-1] == [
        {"reasoning_content": "H"},
        {"reasoning_content": "m."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]},
        {"thinking_blocks": [HIDDEN]},
    ]


def test_the_input_of_the_answer_tool_is_the_answer() -> None:
    stream = start() + tool_block(0, "a", '{"a"', ":1}", name=ANSWER_TOOL) + end("tool_use")
    assert deltas(stream)[1:-1] == [{"content": '{"a"'}, {"content": ":1}"}]
    assert chunks(stream)[-1]["choices"][0]["finish_reason"] == "stop"
    empty = start() + tool_block(0, "a", name=ANSWER_TOOL) + end("tool_use")
    assert deltas(empty)[1:-1] == [{"content": "{}"}]


def test_a_refusal_tells_why() -> None:
    details = {"type": "refusal", "category": None, "explanation": "Too dangerous."}
    last = chunks(start() + end("refusal", stop_details=details))[-1]["choices"][0]
    assert last["delta"] == {"refusal": "Too dangerous."}
    assert last["finish_reason"] == "content_filter"


def test_events_that_nobody_knows_are_passed_over() -> None:
    strange = (
        PING
        + start()
        + event("message_hum", note=1)
        + event("5")
        + b'data: {"type": ["x"]}\n\n'
        + opened(0, {"type": "hologram"})
        + part(0, "light_delta", light="x")
        + closed(0)
        + closed(7)
        + text_block(1, "Hi")
        + end()
        + b"data: [DONE]\n\n"
    )
    assert deltas(strange)[1:-1] == [{"content": "Hi"}]


def test_a_text_that_its_block_begins_with_is_kept() -> None:
    stream = start() + opened(0, text("Hi")) + closed(0) + end()
    assert deltas(stream)[1:-1] == [{"content": "Hi"}]


@pytest.mark.parametrize(
    ("kind", "leaf"),
    [
        ("overloaded_error", ProviderUnavailable),
        ("api_error", ProviderUnavailable),
        ("rate_limit_error", ProviderThrottled),
        ("invalid_request_error", ProviderRejected),
        ("a_new_error", ProviderUnavailable),
    ],
)
def test_an_error_in_the_middle_comes_behind_what_was_said(
    kind: str, leaf: type[ProviderError]
) -> None:
    machine = reader()
    found = machine.feed(start() + text_block(0, "Good ") + failure(kind, f"Sorry, {KEY}."))
    assert found[-1]["choices"][0]["delta"] == {"content": "Good "}
    with pytest.raises(leaf, match=r"Sorry, \*\*\*\."):
        machine.close()
    with pytest.raises(leaf):
        machine.feed(end())


def test_an_error_at_the_start_is_raised_at_once() -> None:
    with pytest.raises(ProviderUnavailable):
        reader().feed(failure())


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b'{"type": "message"}',
        b"data: hello\n\n",
        b"data: 5\n\n",
        b"data: " + b"[" * 300 + b"]" * 300 + b"\n\n",
        b'data: {"type":"x","y":' + b"[" * 300 + b"]" * 300 + b"}\n\n",
        event("message_start"),
        event("message_start", message={"id": 5}),
        text_block(0, "Hi"),
        start() + part(0, "text_delta", text="Hi"),
        start() + part(0, "text_delta", text="Hi").replace(b'"index":0', b'"index":[]'),
        start() + opened(0, {"type": "tool_use", "name": "f"}),
        start() + text_block(0, "Hi"),
        start() + text_block(0, "Hi") + event("message_delta", delta={"stop_reason": "end_turn"}),
    ],
)
def test_what_is_no_stream_or_half_of_one_is_told(stream: bytes) -> None:
    found, error = outcome([stream])
    assert error is not None
    assert error.startswith(f"{ProviderGarbled.__name__}: anthropic answered 200 with ")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in found)


@given(
    stream=st.sampled_from([PLAIN, EVERYTHING, EVERYTHING + failure(), start() + failure()]),
    cuts=st.lists(st.integers(0, len(EVERYTHING)), max_size=12),
    newline=st.sampled_from([b"\n", b"\r\n"]),
)
def test_a_stream_reads_the_same_wherever_it_is_cut(
    stream: bytes, cuts: list[int], newline: bytes
) -> None:
    stream = stream.replace(b"\n", newline)
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[begin:stop] for begin, stop in pairwise(places)]
    assert outcome(pieces) == outcome([stream])


@given(st.data())
def test_a_stream_of_anything_ends_in_chunks_or_in_an_error_of_the_provider(
    data: st.DataObject,
) -> None:
    anything = st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "index", "id", "text", "usage", "input", "delta"]), inner
            )
        ),
        max_leaves=6,
    )
    kinds = ["message_start", "content_block_start", "content_block_delta", "content_block_stop"]
    fields = ["message", "index", "content_block", "delta", "usage"]
    events = data.draw(
        st.lists(
            st.builds(
                lambda kind, body: event(kind, **body),
                st.sampled_from([*kinds, "message_delta", "message_stop", "error"]),
                st.dictionaries(st.sampled_from(fields), anything),
            ),
            max_size=6,
        )
    )
    outcome([start(), *events])
