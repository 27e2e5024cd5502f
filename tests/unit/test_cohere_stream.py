"""Cohere's stream as OpenAI's chunks."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import ProviderError, ProviderGarbled, ProviderTimedOut, ProviderUnavailable

from tests.unit.cohere_calls import KEY, provider
from tests.unit.cohere_events import END, START, beginning, called, said, written


def read(content: bytes, *, usage: bool = False, pieces: int = 1) -> list[dict[str, Any]]:
    reader = provider().reader({"stream_options": {"include_usage": True}} if usage else {})
    size = max(1, len(content) // pieces)
    chunks: list[dict[str, Any]] = []
    for start in range(0, len(content), size):
        chunks += reader.feed(content[start : start + size])
    reader.close()
    return chunks


def deltas(*events: Any) -> list[dict[str, Any]]:
    """What is said between start and end."""
    chunks = read(written(START, *events, END))[1:-1]
    return [chunk["choices"][0]["delta"] for chunk in chunks]


def test_a_text_is_chunks_of_one_answer() -> None:
    chunks = read(written(START, said("", "content-start"), said("Hi "), said("there"), END))
    frames = [{name: chunk[name] for name in ("id", "object", "model")} for chunk in chunks]
    assert frames == [{"id": "c1", "object": "chat.completion.chunk", "model": "public"}] * 4
    (created,) = {chunk["created"] for chunk in chunks}
    assert created > 1_700_000_000
    assert [chunk["choices"] for chunk in chunks] == [
        [choice({"role": "assistant", "content": ""})],
        [choice({"content": "Hi "})],
        [choice({"content": "there"})],
        [choice({}, "stop")],
    ]
    assert all("usage" not in chunk for chunk in chunks)


def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def test_the_usage_comes_last_where_it_is_asked_for() -> None:
    *chunks, last = read(written(START, said("Hi"), END), usage=True)
    assert [chunk["usage"] for chunk in chunks] == [None] * 3
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (last["id"], last["choices"]) == ("c1", [])
    assert last["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 2},
    }


@pytest.mark.parametrize("options", [None, "yes", {}, {"include_usage": False}])
def test_the_usage_does_not_come_unasked(options: Any) -> None:
    reader = provider().reader({"stream_options": options})
    assert all("usage" not in chunk for chunk in reader.feed(written(START, END)))


def test_the_deployment_may_ask_for_the_usage() -> None:
    reader = provider(defaults={"stream_options": {"include_usage": True}}).reader({})
    assert reader.feed(written(START, END))[-1]["usage"]["total_tokens"] == 10


def test_two_calls_are_told_apart_by_their_index() -> None:
    events = (
        called(0, **beginning("f_1", "f")),
        called(0, function={"arguments": '{"a"'}),
        called(0, function={"arguments": ": 1}"}),
        {"type": "tool-call-end", "index": 0},
        called(1, **beginning("g_1", "g")),
        called(1, function={"arguments": "{}"}),
    )
    assert deltas(*events) == [
        {"tool_calls": [{"index": 0, **beginning("f_1", "f")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {"tool_calls": [{"index": 1, **beginning("g_1", "g")}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]


def test_calls_may_grow_side_by_side() -> None:
    events = (
        called(0, **beginning("f_1", "f")),
        called(1, **beginning("g_1", "g")),
        called(0, function={"arguments": "{}"}),
        called(1, function={}),
    )
    calls = [delta["tool_calls"][0] for delta in deltas(*events)]
    assert [call["index"] for call in calls] == [0, 1, 0, 1]
    assert [call["function"]["arguments"] for call in calls] == ["", "", "{}", ""]


def test_a_part_of_a_call_that_was_not_begun_is_garbled() -> None:
    with pytest.raises(ProviderGarbled) as failed:
        deltas(called(0, **beginning("f_1", "f")), called(1, function={"arguments": "{}"}))
    told = "cohere answered 200 with a part of a call that was not begun."
    assert failed.value.message == told


def test_calls_count_from_0_wherever_cohere_begins() -> None:
    events = (called(3, **beginning("f_1", "f")), called(3, function={"arguments": "{}"}))
    indexes = [delta["tool_calls"][0]["index"] for delta in deltas(*events)]
    assert indexes == [0, 0]


def test_plans_and_thoughts_are_reasoning() -> None:
    plan = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "Ask f."}}}
    thought = said("Hm.", field="thinking")
    assert deltas(plan, thought) == [
        {"reasoning_content": "Ask f."},
        {"reasoning_content": "Hm."},
    ]


def test_a_content_may_begin_with_text() -> None:
    assert deltas(said("Hi", "content-start")) == [{"content": "Hi"}]


def test_a_citation_is_a_chunk() -> None:
    citation = {"start": 0, "end": 2, "text": "Hi"}
    event = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}}
    assert deltas(event, {"type": "citation-end", "index": 0}) == [{"citations": [citation]}]


def test_logarithms_come_with_their_piece() -> None:
    event = {**said("Hi"), "logprobs": {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]}}
    chunk = read(written(START, event, END))[1]
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    assert chunk["choices"][0]["logprobs"] == {"content": [entry], "refusal": None}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content-end", "index": 0},
        {"type": "debug", "prompt": "p"},
        {"type": "something-new"},
        {"type": ["content-delta"]},
        {"type": "content-delta"},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": ""}}},
        said(""),
    ],
)
def test_what_tells_nothing_is_read_over(event: Any) -> None:
    assert deltas(event) == []


def test_a_stream_without_a_start_has_a_role_all_the_same() -> None:
    first, *others = read(written(said("Hi"), said("there"), END))
    assert first["id"] == ""
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hi"}
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in others)


def test_a_start_without_an_id_leaves_it_empty() -> None:
    assert {chunk["id"] for chunk in read(written({"type": "message-start"}, END))} == {""}


def test_what_follows_the_end_is_read_over() -> None:
    done = b"data: [DONE]\n\n"
    assert len(read(written(START, END, said("more")) + done)) == 2
    assert len(read(written(START) + done + written(END))) == 2


@pytest.mark.parametrize(
    ("delta", "leaf", "words"),
    [
        ({"finish_reason": "ERROR"}, ProviderUnavailable, r"it broke its answer off \(ERROR\)"),
        ({"finish_reason": "TIMEOUT"}, ProviderTimedOut, r"it broke its answer off \(TIMEOUT\)"),
        ({"finish_reason": "ERROR", "error": f"lost {KEY}"}, ProviderUnavailable, r"lost \*\*\*$"),
        ({"finish_reason": "COMPLETE", "error": "lost"}, ProviderUnavailable, "lost"),
        ({"error": "lost"}, ProviderUnavailable, "lost"),
    ],
)
def test_an_end_in_an_error_is_raised(delta: Any, leaf: type[ProviderError], words: str) -> None:
    reader = provider().reader({})
    assert len(reader.feed(written(START, said("Hi")))) == 2
    with pytest.raises(leaf, match=f"^cohere answered 200: {words}"):
        reader.feed(written({"type": "message-end", "delta": delta}))


@pytest.mark.parametrize(
    ("body", "words"),
    [({"id": "e", "message": f"no {KEY}"}, r"no \*\*\*"), ({}, "Internal Server Error")],
)
def test_an_error_instead_of_an_event_is_raised(body: Any, words: str) -> None:
    with pytest.raises(ProviderUnavailable, match=f"^cohere answered 200: {words}$"):
        read(written(START) + b"data: " + orjson.dumps(body) + b"\n\n")


@pytest.mark.parametrize(
    "data", [b"Hi", b"[]", b'{"type":"x","d":' + b"[" * 400 + b"]" * 400 + b"}"]
)
def test_what_is_no_event_is_garbled(data: bytes) -> None:
    with pytest.raises(ProviderGarbled, match=r"^cohere answered 200 with an event"):
        read(b"data: " + data + b"\n\n")


@pytest.mark.parametrize("content", [b"", written(START, said("Hi")), written(START, END)[:-1]])
def test_half_a_stream_is_garbled(content: bytes) -> None:
    with pytest.raises(ProviderGarbled, match="cohere answered 200 with a stream that breaks off"):
        read(content)


def test_a_line_without_an_end_is_garbled() -> None:
    reader = provider().reader({})
    with pytest.raises(ProviderGarbled, match=r"^cohere "):
        reader.feed(b"data: " + b"x" * (16 * 1024 * 1024))


LONG = written(
    START,
    said("", "content-start"),
    said("ä ✓ "),
    said("there", field="thinking"),
    called(0, **beginning("f_1", "f")),
    called(0, function={"arguments": '{"a": 1}'}),
    END,
)


@given(st.lists(st.integers(0, len(LONG)), max_size=6))
def test_however_the_bytes_are_cut_the_chunks_are_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(LONG)]
    reader = provider().reader({})
    chunks = [chunk for start, end in pairwise(places) for chunk in reader.feed(LONG[start:end])]
    reader.close()
    assert [chunk["choices"] for chunk in chunks] == [chunk["choices"] for chunk in read(LONG)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start",
        "tool-call-delta", "citation-start", "message-end",
    ]
)  # fmt: skip
CONTENT = st.dictionaries(st.sampled_from(["text", "thinking", "function", "id"]), JSON)
MESSAGE = st.dictionaries(
    st.sampled_from(["content", "tool_calls", "tool_plan", "citations"]), CONTENT | JSON
)
DELTA = st.fixed_dictionaries(
    {}, optional={"message": MESSAGE | JSON, "error": JSON, "finish_reason": JSON, "usage": JSON}
)
EVENT = st.fixed_dictionaries(
    {"type": KINDS}, optional={"delta": DELTA | JSON, "index": JSON, "id": JSON, "logprobs": JSON}
)


@given(st.lists(EVENT, max_size=4))
def test_any_events_are_chunks_or_an_error_of_the_provider(events: list[Any]) -> None:
    reader = provider().reader({"stream_options": {"include_usage": True}})
    with suppress(ProviderError):
        assert all(orjson.dumps(chunk) for chunk in reader.feed(written(*events)))
        reader.close()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_an_error_of_the_provider(content: bytes) -> None:
    reader = provider().reader({})
    with suppress(ProviderError):
        reader.feed(b"data: " + content + b"\n\n")
        reader.close()
