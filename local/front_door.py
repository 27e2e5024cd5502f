"""The address that clients use: what API Gateway's own endpoint is on AWS.

A second listener of the emulator's process. `/v1/files`, `/openai/v1/files` and `/files` are the
same; the body and the path reach the function as they were sent. Bodies over 10 MB and headers over
10,240 bytes are refused by the API's gateway responses. A stream is passed on as the function writes it;
the function is not told when the client goes away, as on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

from ministack.services import apigateway_v1 as gateway

from local.mends.api_gateway import execute_live, refuse_too_large
from local.mends.response_stream import BrokenStream, LiveStream

BODY_LIMIT = 10 * 1024 * 1024
HEADER_LIMIT = 10_240
STAGE = "v1"

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Answer = tuple[int, dict[str, Any], bytes | str | LiveStream]


class FrontDoor:
    """ASGI application in front of one deployed API, `api_id`; None until there is one."""

    def __init__(self) -> None:
        self.api_id: str | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            body = await _read(receive)
        except ClientGone:
            return
        status, headers, content = await self._answer(scope, body)
        pairs = [pair for pair in _pairs(headers) if pair[0] != b"content-length"]
        if isinstance(content, LiveStream):
            await send({"type": "http.response.start", "status": status, "headers": pairs})
            await _pass_on(content, send)
            return
        content = content.encode() if isinstance(content, str) else content
        pairs.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Any, body: bytes | None) -> Answer:
        if self.api_id is None or gateway.find_api_scope(self.api_id) is None:
            return 503, {}, json.dumps({"message": "Nothing is deployed yet"})
        headers = _headers(scope)
        path = _path_in_stage(scope["raw_path"].decode("latin-1"))
        if body is None or _header_size(scope) > HEADER_LIMIT:
            return refuse_too_large(self.api_id, STAGE, scope["method"], path, headers)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return await execute_live(self.api_id, STAGE, scope["method"], path, headers, body, query)


class ClientGone(Exception):
    """The connection ended before the whole body had come: no function hears of it."""


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None if it is over the limit, of which no more is kept."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= BODY_LIMIT else None


async def _pass_on(stream: LiveStream, send: Send) -> None:
    """Send the body as it comes; one that breaks ends without its end, which cuts the connection."""
    try:
        async for piece in stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except BrokenStream:
        return
    await send({"type": "http.response.body", "body": b""})


def _path_in_stage(path: str) -> str:
    for prefix in ("/openai/v1", "/v1"):
        if path == prefix or path.startswith(prefix + "/"):
            return path.removeprefix(prefix) or "/"
    return path


def _headers(scope: Any) -> dict[str, Any]:
    """Headers as API Gateway hands them on: repeated ones as a list."""
    headers: dict[str, Any] = {}
    for name, value in _decoded(scope["headers"]):
        known = headers.get(name)
        if known is None or name == "content-type":
            headers[name] = value
        else:
            headers[name] = [*known, value] if isinstance(known, list) else [known, value]
    headers["x-forwarded-for"] = scope["client"][0]
    headers["x-forwarded-port"] = str(scope["server"][1])
    headers["x-forwarded-proto"] = scope["scheme"]
    return headers


def _decoded(pairs: Any) -> Iterator[tuple[str, str]]:
    for name, value in pairs:
        yield name.decode("latin-1").lower(), value.decode("latin-1")


def _header_size(scope: Any) -> int:
    return sum(len(name) + len(value) for name, value in scope["headers"])


def _pairs(headers: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            yield name.lower().encode("latin-1"), str(each).encode("latin-1", "replace")
