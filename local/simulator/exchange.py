"""One HTTP call on its way through the simulator, with its record in the log."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from local.simulator.answers import digest
from local.simulator.behaviour import Facts
from local.simulator.log import Call


class Exchange:
    """Reads a call, unless it is an upload, before its endpoint does, and watches both ways."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, call: Call, key: str) -> None:
        self.scope = scope
        self.call = call
        self._receive = receive
        self._send = send
        self._key = key
        self._body: bytes | None = None
        self._body_is_over = False
        self._is_answered = False
        self._started = time.monotonic()
        scope["state"] = {**scope.get("state", {}), "call": call, "key": key}

    async def read(self) -> Facts:
        """The facts of the call. An upload's body is left to its endpoint, as it may be large."""
        body: dict[str, Any] = {}
        if not Headers(scope=self.scope).get("content-type", "").startswith("multipart/"):
            self._body = await self._read_all()
            body = _parsed(self._body)
            self.call.digest = digest(body) if body else None
        self.call.model = _model_of(body, self.call.path)
        metadata = body.get("metadata")
        self.call.metadata = metadata if isinstance(metadata, dict) else {}
        return Facts(
            self.call.method,
            self.call.path,
            self._key,
            self.call.model,
            self._body or b"",
            self.call.metadata,
        )

    async def receive(self) -> Message:
        """What an endpoint receives: the body that was read already, or the bytes to come."""
        if self._body is None:
            return await self._receive_more()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.call.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
            headers["openai-processing-ms"] = str(round((time.monotonic() - self._started) * 1000))
            headers["openai-version"] = "2020-10-01"
            headers["openai-organization"] = "org-simulator"
        self._is_answered = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def respond(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)

    async def outlasts(self, waiting: Awaitable[object]) -> bool:
        """Wait for something; false if the client went away before it came."""
        if not self._body_is_over:
            # Whoever watches an upload that is not read yet takes its bytes from its endpoint.
            await waiting
            return True
        awaited, gone = asyncio.ensure_future(waiting), asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({awaited, gone}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            awaited.cancel()
            gone.cancel()

    async def drop(self) -> None:
        """Close the connection. It is there only when `server` runs the simulator."""
        self._is_answered = True
        close: Callable[[], None] = self.scope["state"]["close_connection"]
        close()
        await self._gone()

    async def _gone(self) -> None:
        while (await self._receive_more())["type"] != "http.disconnect":
            pass

    async def _read_all(self) -> bytes:
        pieces = []
        while not self._body_is_over:
            pieces.append((await self._receive_more()).get("body", b""))
        return b"".join(pieces)

    async def _receive_more(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_answered:
            self.call.disconnected = True
        self.call.bytes += len(message.get("body", b""))
        self._body_is_over = not message.get("more_body", False)
        return message


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _model_of(body: dict[str, Any], path: str) -> str | None:
    model = body.get("model")
    if isinstance(model, str):
        return model
    return path.removeprefix("/models/") if path.startswith("/models/") else None
