"""Server-sent events as OpenAI's clients read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
from nightmail.error_object import error_object
from nightmail.errors import AllModelsFailed, InvalidRequest
from nightmail.modes.events import KEEP_ALIVE, kept_alive, to_events

from tests.unit.scripted_engine import END, ROLE, unavailable
from tests.unit.virtual_time import in_virtual_time


async def chunks(*steps: Any) -> AsyncGenerator[dict[str, Any]]:
    for step in steps:
        if isinstance(step, Exception):
            raise step
        yield step


async def written(*steps: Any) -> list[bytes]:
    return [event async for event in to_events(chunks(*steps))]


@in_virtual_time
async def test_each_chunk_is_one_event_and_done_is_the_last() -> None:
    events = await written(ROLE, END)
    assert events == [
        b"data: " + orjson.dumps(ROLE) + b"\n\n",
        b"data: " + orjson.dumps(END) + b"\n\n",
        b"data: [DONE]\n\n",
    ]


@in_virtual_time
async def test_an_error_in_mid_stream_is_the_last_event_and_nothing_is_done() -> None:
    first, last = await written(ROLE, unavailable(), END)
    assert first.startswith(b"data: {")
    assert orjson.loads(last.removeprefix(b"data: ")) == {
        "error": {
            "message": "openai did not answer.",
            "type": "server_error",
            "param": None,
            "code": "provider_unavailable",
            "nightmail": {"provider": "openai", "status": 503},
        }
    }


@in_virtual_time
async def test_each_silence_is_a_comment() -> None:
    async def events() -> AsyncGenerator[bytes]:
        yield b"first"
        await asyncio.sleep(45)
        yield b"last"

    written = [event async for event in kept_alive(events(), silence_seconds=20)]

    assert written == [b"first", KEEP_ALIVE, KEEP_ALIVE, b"last"]


@in_virtual_time
async def test_a_stream_that_is_closed_in_a_silence_is_stopped() -> None:
    stopped = asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            stopped.set()

    stream = kept_alive(events(), silence_seconds=20)
    assert await anext(stream) == KEEP_ALIVE
    await stream.aclose()

    assert stopped.is_set()


@in_virtual_time
async def test_an_error_of_the_events_is_not_kept_back() -> None:
    stream = kept_alive(failing_events(), silence_seconds=20)

    assert await anext(stream) == b"first"
    with pytest.raises(LookupError):
        await anext(stream)


async def failing_events() -> AsyncGenerator[bytes]:
    yield b"first"
    raise LookupError


@in_virtual_time
async def test_line_breaks_in_a_text_do_not_break_an_event() -> None:
    event, _ = await written({"text": "one\n\ndata: two\r\n"})
    assert event.count(b"\n") == 2
    assert event.endswith(b"\n\n")


def test_an_error_object_has_openais_four_keys() -> None:
    error = InvalidRequest("No.", param="model", code="invalid_value")
    assert error_object(error) == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_value",
    }


def test_a_lost_race_tells_of_each_model() -> None:
    models = [{"model": "a", "status": 429}]
    error = AllModelsFailed("Nobody.", models=models, http_status=429, error_type="server_error")
    assert error_object(error)["models"] == models
