"""What API Gateway takes for a streamed response: JSON with status and headers, eight zero bytes, the body.

A function behind an integration of the transfer mode STREAM is called by InvokeWithResponseStream,
which answers what the function wrote, as it is; one that does not write a stream answers in one piece.
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html

What is written piece by piece has a listener, in the event loop, beside the emulator's ordinary way: the
whole of it is the invocation's answer all the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, BinaryIO

_PATH = "/response-streaming-invocations"
_DELIMITER = bytes(8)
_HEAD_LIMIT = 16 * 1024
_HEAD = {"statusCode", "headers", "multiValueHeaders", "cookies"}


def is_streamed(integration: dict[str, Any]) -> bool:
    return str(integration.get("uri", "")).endswith(_PATH)


def as_buffered(integration: dict[str, Any]) -> dict[str, Any]:
    """The same function behind an ordinary integration, which is all that ministack knows."""
    return {**integration, "uri": integration["uri"].replace(_PATH, "/invocations")}


def read_stream(payload: Any) -> dict[str, Any] | None:
    """The proxy answer that a function wrote as a stream; None where it is no such stream."""
    head, delimiter, body = str(payload).encode(errors="replace").partition(_DELIMITER)
    answer = _read_head(head) if delimiter else None
    return answer and {**answer, "body": body.decode()}


def _read_head(head: bytes) -> dict[str, Any] | None:
    """Status and headers; None where they are none."""
    if len(head) > _HEAD_LIMIT:
        return None
    try:
        answer = json.loads(head)
    except ValueError:
        return None
    if not isinstance(answer, dict) or not set(answer) <= _HEAD:
        return None
    return {"statusCode": 200, **answer}


class BrokenStream(Exception):
    """A stream that ended before its end."""


class LiveStream:
    """What a function writes, as it writes it; iterate it once, for the body.

    `head` is set as soon as status and headers are there, and never where the function writes no such
    stream. Iterating raises BrokenStream where the function failed, or went on past `deadline`, which is a
    time of the event loop that it was made in.
    """

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._start = b""
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._is_whole = False
        self.head: asyncio.Future[dict[str, Any]] = self._loop.create_future()

    def write(self, piece: bytes) -> None:
        """Take what the function wrote next; from any thread."""
        self._loop.call_soon_threadsafe(self._take, piece)

    def end(self, *, is_whole: bool) -> None:
        """Nothing more will come; in the event loop's thread."""
        self._is_whole = is_whole
        self._pieces.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._next()) is not None:
            yield piece
        if not self._is_whole:
            raise BrokenStream

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._pieces.get()
        except TimeoutError:
            raise BrokenStream from None

    def _take(self, piece: bytes) -> None:
        if not self.head.done():
            self._start += piece
            head, delimiter, piece = self._start.partition(_DELIMITER)
            if (answer := _read_head(head) if delimiter else None) is None:
                return
            self.head.set_result(answer)
        if piece:
            self._pieces.put_nowait(piece)


listener: contextvars.ContextVar[LiveStream | None] = contextvars.ContextVar(
    "listener", default=None
)
"""Who hears what the function writes that is invoked in this context."""


def read_chunks(source: BinaryIO) -> Iterator[bytes]:
    """The chunks of a body in HTTP's chunked coding, as they come; what is behind them stays there.

    Raises BrokenStream where the connection ends before the last one. (RFC 9112, section 7.1)
    """
    while size := _read_size(source.readline()):
        chunk = source.read(size)
        if len(chunk) < size:
            raise BrokenStream
        source.readline()
        yield chunk


def _read_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise BrokenStream from None
