"""A provider that costs next to nothing: answers every POST with one chat completion.

`/<milliseconds>/...` waits for so long before it answers. A stream opens at once, has its first token then,
and its last one HOLD_SECONDS later. In a process of its own, so that its CPU is not counted with the
client's; its log tells when calls came and went, in the clock of the whole machine.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

_COMPLETION = {
    "id": "chatcmpl-0123456789abcdef",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-5-mini-2025-08-07",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "x" * 400, "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 200, "completion_tokens": 100, "total_tokens": 300},
}
ANSWER = json.dumps(_COMPLETION).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HOLD_SECONDS = 0.1
_ASKS_TO_STREAM = re.compile(rb'"stream":\s*true')
_OPENING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_LOOK_SECONDS = 0.01


@dataclass(slots=True)
class Call:
    """One POST; times are `time.monotonic()`'s. `left_at`: the client did not wait for the answer.

    A stream is answered with its first token.
    """

    milliseconds: int
    came_at: float
    answered_at: float | None = None
    left_at: float | None = None

    @property
    def is_under_way(self) -> bool:
        return self.answered_at is None and self.left_at is None


_log: list[Call] = []


class _Connection(asyncio.Protocol):
    """Reads as much of HTTP as its clients here write: a head with a Content-Length, a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""
        self._call: Call | None = None
        self._is_stream = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer and self._call:
            self._timer.cancel()
            self._call.left_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"GET /log "):
            self._tell()
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._data = body[length:]
        self._is_stream = bool(_ASKS_TO_STREAM.search(body))
        self._begin(int(head.partition(b"/")[2].partition(b"/")[0]))

    def _begin(self, milliseconds: int) -> None:
        self._call = Call(milliseconds, time.monotonic())
        _log.append(self._call)
        if self._is_stream:
            self._transport.write(_OPENING)
        if milliseconds:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(milliseconds / 1000, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        assert self._call
        self._timer = None
        self._call.answered_at = time.monotonic()
        self._transport.write(_FIRST if self._is_stream else _WHOLE)
        if self._is_stream:
            self._timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._end)

    def _end(self) -> None:
        self._timer = None
        self._transport.write(_LAST)

    def _tell(self) -> None:
        """The log since it was last asked for, as soon as all its calls are over."""
        self._data = b""
        if any(call.is_under_way for call in _log):
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._tell)
            return
        rows = [(call.milliseconds, call.came_at, call.answered_at, call.left_at) for call in _log]
        _log.clear()
        self._transport.write(_whole(json.dumps(rows).encode()))


def _whole(body: bytes) -> bytes:
    return _HEAD % len(body) + body


def _piece(*events: bytes) -> bytes:
    """A chunk of HTTP's."""
    content = b"".join(b"data: %s\n\n" % event for event in events)
    return b"%x\r\n%s\r\n" % (len(content), content)


def _chunk(finish_reason: str | None = None, **delta: str) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    chunk = {**_COMPLETION, "object": "chat.completion.chunk", "choices": [choice]}
    del chunk["usage"]
    return json.dumps(chunk).encode()


_WHOLE = _whole(ANSWER)
_FIRST = _piece(_chunk(role="assistant", content=""), _chunk(content="First"))
_LAST = _piece(_chunk(content=", last."), _chunk("stop"), b"[DONE]") + b"0\r\n\r\n"


@contextmanager
def running_upstream() -> Iterator[str]:
    """Its URL."""
    command = [sys.executable, "-m", "bench.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def take_log(url: str) -> list[Call]:
    """What came to the upstream at `url` since the log was last taken, in the order of coming.

    Returns when all of it is over.
    """
    connection = HTTPConnection(url.removeprefix("http://"))
    with closing(connection):
        connection.request("GET", "/log")
        return [Call(*row) for row in json.load(connection.getresponse())]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
