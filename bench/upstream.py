"""A provider that costs next to nothing: answers every POST with one chat completion.

`/<milliseconds>/...` waits for so long before it answers. In a process of its own, so that its CPU is not
counted with the client's.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = json.dumps(
    {
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
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_WHOLE = _HEAD % len(ANSWER) + ANSWER


class _Connection(asyncio.Protocol):
    """Reads as much of HTTP as its clients here write: a head with a Content-Length, a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._data = body[length:]
        milliseconds = int(head.partition(b"/")[2].partition(b"/")[0])
        if milliseconds:
            loop = asyncio.get_running_loop()
            loop.call_later(milliseconds / 1000, self._transport.write, _WHOLE)
        else:
            self._transport.write(_WHOLE)


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


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
