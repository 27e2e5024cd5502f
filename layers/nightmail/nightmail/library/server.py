"""A server that speaks OpenAI's protocol: a gateway, or a provider's own files and batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import IO, Any, NamedTuple

import aiohttp
import orjson

from nightmail.engine.client import next_bytes
from nightmail.library.exceptions import APIConnectionError, APIError
from nightmail.library.failures import bad_request, failure_in, failures_of
from nightmail.library.transport import Request, Transport, connection_errors
from nightmail.providers.json_text import read_json
from nightmail.providers.server_sent_events import EventSplitter

Body = dict[str, Any]

_JSON = {"content-type": "application/json"}
_DONE = b"[DONE]"
_PATIENT = 20
"""Retries where giving up would lose hours of work."""


class Page(NamedTuple):
    """Some lines; the names of `headers` are found in any case."""

    headers: Mapping[str, str]
    lines: list[bytes]


class Answered(NamedTuple):
    """A good answer; the names of `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: Body


class Server:
    """Its requests raise APIError."""

    def __init__(self, transport: Transport, *, retries: int, seconds: float) -> None:
        self.name = transport.name
        self._transport = transport
        self._retries = retries
        self._seconds = seconds

    async def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, patiently: bool = False
    ) -> Body:
        request = self._request(path=path, query=_texts(query or {}), repeatable=True)
        if patiently:
            request = replace(request, retries=_PATIENT)
        return (await self._whole(request)).body

    async def page(self, path: str, query: Mapping[str, Any]) -> Page:
        """The lines of a GET, which may be elsewhere; the headers are the server's own."""
        asked = {"repeatable": True, "retries": _PATIENT}
        request = self._request(path=path, query=_texts(query), follows=False, **asked)
        response, content = await self._read(request)
        if there := response.headers.get("location"):
            _, content = await self._read(self._request(path=there, is_elsewhere=True, **asked))
        return Page(response.headers, [line for line in content.split(b"\n") if line])

    async def delete(self, path: str) -> Body:
        return (await self._whole(self._request(method="DELETE", path=path, repeatable=True))).body

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answered:
        """A JSON body. `repeatable`: it does no harm if it arrives twice."""
        return await self._whole(
            replace(
                self._written(path, body),
                headers={**_JSON, **(headers or {})},
                repeatable=repeatable,
            )
        )

    async def post_form(self, path: str, form: Callable[[], aiohttp.FormData]) -> Body:
        """`form` is made anew for each try. What arrives twice is kept twice, which does no harm."""
        request = self._request(method="POST", path=path, content=form, repeatable=True)
        return (await self._whole(replace(request, seconds=None))).body

    async def post_file(self, path: str, content: Callable[[], IO[bytes]]) -> Body:
        """A JSON body that is read piece by piece from `content`, which is opened anew for each try."""
        request = self._request(method="POST", path=path, content=content, headers=_JSON)
        return (await self._whole(replace(request, seconds=None))).body

    async def put_elsewhere(self, url: str, content: bytes) -> None:
        """To where the server said, without the key."""
        request = self._request(
            method="PUT", path=url, is_elsewhere=True, content=lambda: content, repeatable=True
        )
        response = await self._transport.answer(request)
        response.release()

    async def content(self, path: str) -> AsyncGenerator[bytes]:
        """The bytes of a GET as they come."""
        request = self._request(path=path, repeatable=True, retries=_PATIENT, seconds=None)
        return _pieces(await self._transport.answer(request), self.name)

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Body]:
        """The data of a POST's stream of events, which has begun when this returns."""
        response = await self._transport.answer(self._written(path, body))
        return _events(_pieces(response, self.name), self.name, body.get("model"))

    def _request(self, **fields: Any) -> Request:
        return Request(**{"retries": self._retries, "seconds": self._seconds, **fields})

    def _written(self, path: str, body: Mapping[str, Any]) -> Request:
        try:
            content = orjson.dumps(body)
        except TypeError as error:
            raise bad_request(f"The request cannot be written as JSON: {error}.", "body") from error
        return self._request(method="POST", path=path, content=lambda: content, headers=_JSON)

    async def _whole(self, request: Request) -> Answered:
        response, content = await self._read(request)
        body = read_json(content)
        if not isinstance(body, dict):
            raise APIError(
                f"{self.name} answered with something that is not a JSON object.",
                llm_provider=self.name,
            )
        return Answered(response.status, response.headers, body)

    async def _read(self, request: Request) -> tuple[aiohttp.ClientResponse, bytes]:
        response = await self._transport.answer(request)
        with connection_errors(self.name):
            async with response:
                return response, await response.read()


def _texts(query: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


async def _pieces(response: aiohttp.ClientResponse, server: str) -> AsyncGenerator[bytes]:
    with connection_errors(server):
        async with response:
            while piece := await next_bytes(response.content):
                yield piece


async def _events(
    pieces: AsyncGenerator[bytes], server: str, model: str | None
) -> AsyncGenerator[Body]:
    """Raises the error that an event is, and APIConnectionError for a stream without an end."""
    splitter = EventSplitter(server)
    async with aclosing(pieces):
        async for piece in pieces:
            with failures_of(model):
                events = splitter.feed(piece)
            for event in events:
                if event.data == _DONE:
                    return
                yield _chunk(event.data, server, model)
    raise APIConnectionError(f"{server} broke its stream off.", model=model, llm_provider=server)


def _chunk(data: bytes, server: str, model: str | None) -> Body:
    chunk = read_json(data)
    if not isinstance(chunk, dict):
        raise APIError(f"{server} sent a chunk that is not a JSON object.", llm_provider=server)
    if isinstance(chunk.get("error"), dict):
        raise failure_in(chunk["error"], model)
    return chunk
