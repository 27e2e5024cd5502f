"""Streams as they go out: server-sent events in OpenAI's form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import orjson

from nightmail.error_object import error_object
from nightmail.errors import GatewayError
from nightmail.modes.asked import ModelRequest
from nightmail.modes.runner import Runner
from nightmail.providers.direct import JsonObject

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment (HTML standard, 9.2.6): readers of events pass it over."""

SILENCE_SECONDS = 20.0


class OpenStream:
    """A stream whose first chunks have come, to be iterated once.

    It has to be iterated to its end or closed: `aclose` closes the provider's connection.
    """

    def __init__(self, first: Sequence[JsonObject], rest: AsyncGenerator[JsonObject]) -> None:
        self._first = first
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[JsonObject]:
        for chunk in self._first:
            yield chunk
        async for chunk in self._rest:
            yield chunk

    async def aclose(self) -> None:
        await self._rest.aclose()


async def open_stream(request: ModelRequest, runner: Runner) -> OpenStream:
    """One model's stream from its first chunk on.

    Raises what comes instead of the first chunk, so that it can still be a status.
    """
    chunks = runner.stream(request)
    first = await anext(chunks, None)
    return OpenStream([] if first is None else [first], chunks)


def to_event(data: JsonObject) -> bytes:
    """One event."""
    return b"data: %b\n\n" % orjson.dumps(data)


async def kept_alive(
    events: AsyncGenerator[bytes], silence_seconds: float = SILENCE_SECONDS
) -> AsyncGenerator[bytes]:
    """The events, and a comment for each time that there was none for so long. Closing it closes them.

    What waits between the models and the caller takes a silent connection for a dead one.
    """
    async with aclosing(events):
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({coming}, timeout=silence_seconds))[0]:
                    yield KEEP_ALIVE
            finally:
                coming.cancel()
                await asyncio.wait({coming})
            event = coming.result()
            if event is None:
                return
            yield event


async def to_events(chunks: OpenStream | AsyncGenerator[JsonObject]) -> AsyncGenerator[bytes]:
    """One event for each chunk, then `[DONE]`. Closing it closes `chunks`.

    An error in mid-stream is a last event with an `error`, and no `[DONE]` follows: nobody takes half
    an answer for a whole one.
    """
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield to_event(chunk)
    except GatewayError as error:
        yield to_event({"error": error_object(error)})
    else:
        yield DONE
