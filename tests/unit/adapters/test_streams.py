"""Every provider's stream comes out as OpenAI's chunks, however its bytes arrive."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightmail.errors import ProviderError, ProviderGarbled, ProviderUnavailable
from nightmail.providers.direct import JsonObject

from tests.unit.adapters.asked import BODY, choices, streamed, text_of
from tests.unit.adapters.cases import (
    COMPLETION_TOKENS,
    KEY,
    PROMPT_TOKENS,
    PUBLIC_MODEL,
    TEXT,
    TOOL_CALLS,
    AdapterSamples,
)


def test_a_text_comes_in_pieces_and_says_how_it_ends(samples: AdapterSamples) -> None:
    chunks = streamed(samples.adapter(), [samples.stream_plain])
    assert text_of(chunks) == TEXT
    pieces = [choice for choice in choices(chunks) if choice["delta"].get("content")]
    assert len(pieces) > 1
    reasons = [choice["finish_reason"] for choice in choices(chunks)]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]


def test_the_role_comes_first_and_once(samples: AdapterSamples) -> None:
    deltas = [c["delta"] for c in choices(streamed(samples.adapter(), [samples.stream_plain]))]
    assert deltas[0]["role"] == "assistant"
    assert not any("role" in delta for delta in deltas[1:])


def test_every_chunk_is_of_one_answer_under_the_public_name(samples: AdapterSamples) -> None:
    chunks = streamed(samples.adapter(), [samples.stream_plain])
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["model"] for chunk in chunks} == {PUBLIC_MODEL}
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


def test_usage_is_told_once_and_last_where_it_is_asked_for(samples: AdapterSamples) -> None:
    *chunks, last = streamed(samples.adapter(), [samples.stream_plain])
    assert [chunk.get("usage") for chunk in chunks] == [None] * len(chunks)
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == PROMPT_TOKENS
    assert last["usage"]["completion_tokens"] == COMPLETION_TOKENS
    assert last["usage"]["total_tokens"] == PROMPT_TOKENS + COMPLETION_TOKENS


def test_usage_is_not_told_where_it_is_not_asked_for(samples: AdapterSamples) -> None:
    chunks = streamed(samples.adapter(), [samples.stream_plain], with_usage=False)
    assert all(chunk["choices"] and not chunk.get("usage") for chunk in chunks)


def test_tool_calls_are_told_apart_by_their_index(samples: AdapterSamples) -> None:
    chunks = streamed(samples.adapter(), [samples.stream_tools])
    assert choices(chunks)[-1]["finish_reason"] == "tool_calls"
    calls: dict[int, list[dict[str, object]]] = {}
    for choice in choices(chunks):
        for delta in choice["delta"].get("tool_calls", []):
            calls.setdefault(delta["index"], []).append(delta)
    assert list(calls) == [0, 1]
    for deltas, (name, arguments) in zip(calls.values(), TOOL_CALLS, strict=True):
        assert deltas[0]["id"]
        assert deltas[0]["type"] == "function"
        functions = [json.loads(json.dumps(delta["function"])) for delta in deltas]
        assert functions[0]["name"] == name
        assert json.loads("".join(part.get("arguments", "") for part in functions)) == arguments
        assert not any("id" in delta for delta in deltas[1:])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(cuts=st.lists(st.integers(0, 3000), max_size=12), has_tools=st.booleans())
def test_it_does_not_matter_where_the_bytes_are_cut(
    samples: AdapterSamples, cuts: list[int], has_tools: bool
) -> None:
    content = samples.stream_tools if has_tools else samples.stream_plain
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(places)]
    whole, cut = (streamed(samples.adapter(), each) for each in ([content], pieces))
    assert _without_made_up(cut) == _without_made_up(whole)


def _without_made_up(chunks: list[dict[str, object]]) -> list[dict[str, object]]:
    """An adapter may have to make up an id or a time of its own."""
    return [{**chunk, "id": "", "created": 0} for chunk in chunks]


def test_lines_may_end_as_windows_ends_them(samples: AdapterSamples) -> None:
    if not samples.is_stream_of_text:
        pytest.skip("this provider's streams have no lines")
    content = samples.stream_plain.replace(b"\n", b"\r\n")
    assert text_of(streamed(samples.adapter(), [content])) == TEXT


def test_comments_and_silence_are_not_minded(samples: AdapterSamples) -> None:
    if not samples.is_stream_of_text:
        pytest.skip("this provider's streams have no lines")
    content = b": keep-alive\n\n" + samples.stream_plain
    assert text_of(streamed(samples.adapter(), [content])) == TEXT


def test_a_reader_knows_when_its_answer_is_whole(samples: AdapterSamples) -> None:
    reader, content = samples.adapter().reader(BODY), samples.stream_plain
    assert not reader.is_over
    reader.feed(content[: len(content) // 2])
    assert not reader.is_over
    reader.feed(content[len(content) // 2 :])
    assert reader.is_over
    assert reader.close() == []


def test_half_a_stream_is_garbled(samples: AdapterSamples) -> None:
    for content in (samples.stream_plain, samples.stream_tools):
        with pytest.raises(ProviderGarbled) as caught:
            streamed(samples.adapter(), [content[: len(content) // 2]])
        assert samples.provider in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>busy</html>", b'{"choices": []}\n\n'])
def test_what_is_no_stream_is_garbled(samples: AdapterSamples, content: bytes) -> None:
    with pytest.raises(ProviderGarbled):
        streamed(samples.adapter(), [content])


DEEP = b'{"type": "x", "a": ' + b"[" * 600 + b"]" * 600 + b"}"


@pytest.mark.parametrize("data", [b"{", b"[]", DEEP, b"7", b"\xff", b"half a word"])
def test_events_that_are_no_objects_or_too_deep_are_garbled(
    samples: AdapterSamples, data: bytes
) -> None:
    with pytest.raises(ProviderGarbled):
        streamed(samples.adapter(), [b"data: " + data + b"\n\n" + samples.stream_plain])


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_an_error_in_mid_stream_comes_after_what_was_said(
    samples: AdapterSamples, piece: int
) -> None:
    reader, said = samples.adapter().reader(BODY), list[JsonObject]()

    def read() -> None:
        for start in range(0, len(samples.stream_error), piece):
            said.extend(reader.feed(samples.stream_error[start : start + piece]))
        reader.close()

    with pytest.raises(ProviderUnavailable) as caught:
        read()
    assert text_of(said)
    assert TEXT.startswith(text_of(said))
    assert caught.value.message.startswith(samples.provider)
    assert KEY not in caught.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.one_of(st.binary(), st.from_regex(rb"(data: [{}\[\]\",:a-z0-9]{0,40}\n\n){1,4}")))
def test_no_bytes_raise_anything_but_errors_of_the_provider(
    samples: AdapterSamples, data: bytes
) -> None:
    with suppress(ProviderError):
        streamed(samples.adapter(), [data])
