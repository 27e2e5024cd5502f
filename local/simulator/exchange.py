"""One HTTP call on its way through the simulator, with its record in the log."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Mapping
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from typing import Any, cast

import orjson
from starlette.types import Message, Receive, Scope, Send

from local.simulator.answers import digest
from local.simulator.behaviour import Facts
from local.simulator.dialect import Content, Dialect, Json, RawRequest
from local.simulator.errors import ApiError
from local.simulator.log import Call, Log

_OK = 200
_UPLOADS = (b"multipart/", b"application/jsonl")


class Exchange:
    """Reads a call, unless it is an upload, before its endpoint does, and watches both ways.

    `body` is null where it is no JSON object. `spoils` tells that a fault answers and not a model, so
    that a 200 is no answer that counts.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        call: Call,
        log: Log,
        dialect: Dialect,
    ) -> None:
        self.call = call
        self.dialect = dialect
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.key = dialect.key_of(self.headers)
        self.body: Json | None = None
        self.spoils = False
        self.request_id = f"req_{os.urandom(16).hex()}"
        self._log = log
        self._receive = receive
        self._send = send
        self._content: bytes | None = None
        self._body_is_over = False
        self._is_answered = False
        self._is_cut = False
        self._watcher: asyncio.Task[None] | None = None
        self._started = time.monotonic()
        call.key = self.key[-4:]
        state = {**scope.get("state", {}), "call": call, "key": self.key}
        state["request_id"] = self.request_id
        self.scope: Scope = {**scope, "path": call.path, "state": state}

    async def read(self) -> Facts:
        """The facts of the call. An upload's body is left to its endpoint, and a whole batch to a file:
        they may be large.
        """
        content: Content = b""
        first_model = self.dialect.batches.get(self.call.path)
        brings_batch = first_model is not None and self.call.method == "POST"
        if first_model and brings_batch:
            content = await self._read_to_file()
            self.call.model = first_model(content)
        elif not self.headers.get(b"content-type", b"").startswith(_UPLOADS):
            content = self._content = await self._read_all()
            parsed = _parsed(content)
            self._look_into(parsed and self.dialect.read(self.call.path, parsed))
        facts = self._facts(content, brings_batch=brings_batch)
        self.scope["state"] |= {"content": content, "facts": facts}
        return facts

    @property
    def arrived(self) -> RawRequest:
        """The call that was read, as it arrived."""
        target, query = self.scope["raw_path"].decode(), self.scope["query_string"].decode()
        content: Content = self.scope["state"]["content"]
        return RawRequest(
            self.call.method, f"{target}?{query}" if query else target, self.headers, content
        )

    def _look_into(self, body: Json | None) -> None:
        call, self.body, body = self.call, body, body or {}
        metadata = body.get("metadata")
        call.digest = digest(body) if body else None
        call.model = _model_of(body, call.path)
        call.stream = body.get("stream") is True
        call.metadata = metadata if isinstance(metadata, dict) else {}

    def _facts(self, content: Content, *, brings_batch: bool) -> Facts:
        call = self.call
        return Facts(
            call.method,
            call.path,
            self.key,
            call.provider,
            call.model,
            content,
            call.metadata,
            call.stream,
            call.digest or "",
            brings_batch,
        )

    async def receive(self) -> Message:
        """What an endpoint receives: the body that was read already, or the bytes to come."""
        if self._content is None:
            return await self._receive_more()
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        starts = message["type"] == "http.response.start"
        if starts:
            self.call.status = message["status"]
            message = {**message, "headers": [*message["headers"], *self._own_headers()]}
        self._is_answered = not starts and not message.get("more_body")
        if self.is_gone:
            self.note_departure()
        await self._send(message)
        if starts:
            self._log.note("began", self.call)
        if self._is_answered and self._counts:
            self._log.note("answered", self.call)

    async def respond(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Send an answer in one piece."""
        told = {"content-type": "application/json", "content-length": str(len(content)), **headers}
        await self.send({"type": "http.response.start", "status": status, "headers": _raw(told)})
        await self.send({"type": "http.response.body", "body": content})

    async def refuse(self, error: ApiError) -> None:
        envelope = self.dialect.envelope(error, self.request_id)
        await self.respond(error.status, orjson.dumps(envelope), error.headers)

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed the connection before the end of the answer."""
        connection = self._connection
        return self.call.disconnected or bool(connection and connection.is_closing())

    async def outlasts(self, waiting: Awaitable[object]) -> bool:
        """Wait for something; false if the client went away before it came."""
        if not self._body_is_over:
            # Whoever watches an upload that is not read yet takes its bytes from its endpoint.
            await waiting
            return True
        awaited, gone = asyncio.ensure_future(waiting), self.watch()
        try:
            await asyncio.wait({awaited, gone}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            awaited.cancel()

    def watch(self) -> asyncio.Task[None]:
        """From now on a departure is noted when it happens; the task ends with it, or with `close`."""
        self._watcher = self._watcher or asyncio.create_task(self._until_gone())
        return self._watcher

    def close(self) -> None:
        if self._watcher:
            self._watcher.cancel()

    async def drop(self) -> None:
        """Close the connection. It is there only when `server` runs the simulator."""
        self._is_answered = self._is_cut = True
        self._log.note("cut", self.call)
        assert self._connection
        self._connection.close()
        await self._until_gone()

    def note_token(self) -> None:
        self._log.note("token", self.call)

    def note_departure(self) -> None:
        """The client has gone; it has not where we did."""
        if not (self._is_cut or self.call.disconnected):
            self.call.disconnected = True
            self._log.note("disconnected", self.call)

    async def _until_gone(self) -> None:
        while (await self._receive_more())["type"] != "http.disconnect":
            pass

    async def _read_all(self) -> bytes:
        pieces = []
        while not self._body_is_over:
            pieces.append((await self._receive_more()).get("body", b""))
        return b"".join(pieces)

    async def _read_to_file(self) -> Content:
        """The body as a map of a file that has no name, and is gone when nobody looks at it any more."""
        hashed = hashlib.sha256()
        with TemporaryFile() as file:
            while not self._body_is_over:
                piece = (await self._receive_more()).get("body", b"")
                hashed.update(piece)
                file.write(piece)
            file.flush()
            self._content, self.call.digest = b"", hashed.hexdigest()[:16]
            return mmap(file.fileno(), 0, access=ACCESS_READ) if file.tell() else b""

    async def _receive_more(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_answered:
            self.note_departure()
        self.call.bytes += len(message.get("body", b""))
        self._body_is_over = not message.get("more_body", False)
        return message

    @property
    def _connection(self) -> asyncio.Transport | None:
        return cast("asyncio.Transport | None", self.scope["state"].get("connection"))

    @property
    def _counts(self) -> bool:
        return self.call.status == _OK and not self.spoils and not self.call.disconnected

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        milliseconds = round((time.monotonic() - self._started) * 1000)
        return _raw(self.dialect.headers(self.request_id, milliseconds))


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _model_of(body: dict[str, Any], path: str) -> str | None:
    model = body.get("model")
    if isinstance(model, str):
        return model
    return path.removeprefix("/models/") if path.startswith("/models/") else None
