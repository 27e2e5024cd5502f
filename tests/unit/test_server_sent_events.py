"""A stream of bytes becomes events, however it arrives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import ProviderGarbled
from nightmail.providers.server_sent_events import MAX_EVENT_BYTES, Event, EventSplitter


def events(*pieces: bytes) -> list[Event]:
    splitter = EventSplitter("openai")
    return [event for piece in pieces for event in splitter.feed(piece)]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"data:a\n\n", [("message", b"a")]),
        (b"data:  a \n\n", [("message", b" a ")]),
        (b"data: a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", [("x", b"a"), ("message", b"b")]),
        (b"data: a\r\n\r\n", [("message", b"a")]),
        (b": a comment\n\nid: 7\nretry: 3\ndata: a\n\n", [("message", b"a")]),
        (b"event: without data\n\ndata: a\n\n", [("message", b"a")]),
        (b"\n\n\ndata: a\n\n", [("message", b"a")]),
        (b"data\n\ndata: \n\ndata: a\n\n", [("message", b"a")]),
        (b"data: a\rdata: b\r\rdata: c\r\r", [("message", b"a\nb"), ("message", b"c")]),
        (b"data: a\r\n\rdata: b\n\r\n", [("message", b"a"), ("message", b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", b"a")]),
        (b"data: not ended\n", []),
        (b"", []),
    ],
)
def test_events_are_what_stands_between_empty_lines(
    content: bytes, found: list[tuple[str, bytes]]
) -> None:
    assert events(content) == found


@given(st.lists(st.integers(0, 60), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int], line_end: bytes) -> None:
    content = "\ufeffevent: é\ndata: ü1\ndata: 2\n\n: c\n\ndata: 3\n\n".encode()
    content = content.replace(b"\n", line_end)
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(places)]
    assert events(*pieces) == [Event("é", "ü1\n2".encode()), Event("message", b"3")]


def test_an_event_does_not_wait_for_what_may_follow_its_carriage_return() -> None:
    splitter = EventSplitter("openai")
    assert splitter.feed(b"data: a\r\n\r") == [Event("message", b"a")]
    assert splitter.feed(b"") == []
    assert splitter.feed(b"\ndata: b\r\r") == [Event("message", b"b")]


@pytest.mark.parametrize("piece", [b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"])
def test_an_event_without_an_end_is_garbled_before_it_fills_the_memory(piece: bytes) -> None:
    assert events(piece) == []
    with pytest.raises(ProviderGarbled):
        events(piece * (MAX_EVENT_BYTES // 65536 + 1))
