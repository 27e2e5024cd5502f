"""A provider on a real socket, in the test's own event loop: what it answers, each test says."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from nightmail.deployment import Deployment
from nightmail.providers.direct import (
    ChunkReader,
    DirectProvider,
    HttpAnswer,
    HttpRequest,
    JsonObject,
)
from nightmail.providers.http import garbled, raise_for_answer, read_answer
from nightmail.providers.server_sent_events import EventSplitter

CHAT = "/v1/chat/completions"
GOOD = {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}


@dataclass
class Visit:
    """One request, and the means to answer it. `at` is the event loop's time at which it came."""

    path: str
    headers: Mapping[str, str]
    content: bytes
    at: float
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    async def answer(self, body: object = GOOD, status: int = 200, **headers: str) -> None:
        """In headers' names, `_` stands for `-`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    async def begin_stream(self, status: int = 200) -> None:
        await self.send(
            f"HTTP/1.1 {status} X\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )

    async def event(self, data: object) -> None:
        await self.piece(f"data: {json.dumps(data)}\n\n".encode())

    async def piece(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.piece(b"data: [DONE]\n\n")
        await self.send(b"0\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Returns when the other side has closed the connection."""
        with suppress(ConnectionError):
            assert await self.reader.read(1) == b""

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


@dataclass
class Upstream:
    """Answers every request by `script`.

    `visits` are all that came, `connections` how many were opened, `tasks` serve those that are open.
    """

    script: Script
    url: str = ""
    visits: list[Visit] = field(default_factory=list)
    connections: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        try:
            while visit := await _read(reader, writer):
                self.visits.append(visit)
                await self.script(visit)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def closed(self) -> None:
        """Returns when no connection is open."""
        await asyncio.gather(*self.tasks)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Visit | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    pairs = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in pairs}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    now = asyncio.get_running_loop().time()
    return Visit(head[0].split()[1], headers, content, now, reader, writer)


@asynccontextmanager
async def upstream(script: Script, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Upstream]:
    """A server that runs for as long as the test needs it; every connection is closed at the end."""
    running = Upstream(script)
    server = await asyncio.start_server(
        running.accept, "127.0.0.1", limit=2**24, ssl=tls, backlog=1000
    )
    running.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
        await running.closed()
    finally:
        server.close()


def deployment(url: str = "http://127.0.0.1:1", **settings: Any) -> Deployment:
    return Deployment(
        **{"name": "m", "provider": "acme", "model": "m-1", "api_base": url, **settings}
    )


class PlainProvider:
    """An adapter that changes nothing."""

    endpoints = frozenset({CHAT})

    def __init__(self, deployment: Deployment) -> None:
        self.name = deployment.provider
        self._url = deployment.api_base

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        content = json.dumps({**body, "stream": stream}).encode()
        return HttpRequest(f"{self._url}{endpoint}", {"authorization": "Bearer sk-key"}, content)

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        return read_answer(answer, self.name, None)

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        return _PlainReader(self.name)


class _PlainReader:
    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._events = EventSplitter(provider)
        self.is_over = False

    def feed(self, data: bytes) -> list[JsonObject]:
        chunks: list[JsonObject] = []
        for event in self._events.feed(data):
            if event.data == b"[DONE]":
                self.is_over = True
            elif event.data.startswith(b"!"):
                status = int(event.data[1:])
                raise_for_answer(HttpAnswer(status, {}, b""), self._provider, None)
            else:
                chunks.append(json.loads(event.data))
        return chunks

    def close(self) -> list[JsonObject]:
        if not self.is_over:
            raise garbled(self._provider, "with half a stream")
        return []


def plain(deployment: Deployment) -> DirectProvider:
    return PlainProvider(deployment)
