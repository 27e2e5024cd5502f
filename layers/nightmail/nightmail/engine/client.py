"""The pooled HTTP client: it sends what adapters wrote, and tells what kept an answer from coming."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from functools import cache, lru_cache
from io import BytesIO
from typing import Self

import aiohttp
import certifi

from nightmail.engine.transport_errors import provider_error
from nightmail.errors import ProviderGarbled
from nightmail.providers.direct import HttpAnswer, HttpRequest

MAX_ANSWER_BYTES = 64 * 1024 * 1024
CONNECT_SECONDS = 10
_HEADERS = {
    "accept-encoding": "identity",  # a packed stream would come in lumps
    "content-type": "application/json",
    "user-agent": "nightmail",
}
_LARGE_BYTES = 2**20  # aiohttp wants more than this as a file, and sends it in pieces
_EXACT = 1e9  # seconds: below this aiohttp rounds no time-out up
_TURNS = 2  # of the loop: one finds that bytes have come, the next one has read them
_FAILURES = (aiohttp.ClientError, TimeoutError)


class Client:
    """One session over one pool, for one event loop. No cookies, no redirects, no proxies."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def send(
        self,
        request: HttpRequest,
        provider: str,
        *,
        total_seconds: float | None,
        silence_seconds: float | None = None,
    ) -> Exchange:
        """Send it within `async with`. `silence_seconds` is the longest time between bytes."""
        timeout = _time_out(total_seconds, silence_seconds)
        return Exchange(self._session, request, provider, timeout)


class Exchange:
    """One request and its answer; leaving closes a connection that has more to say.

    Everything here raises ProviderTimedOut and ProviderUnavailable, and ProviderGarbled where the answer
    is not HTTP. The names of `headers` are found in any case.
    """

    __slots__ = ("_provider", "_request", "_response", "_session", "_timeout", "headers", "status")

    status: int
    headers: Mapping[str, str]

    def __init__(
        self,
        session: aiohttp.ClientSession,
        request: HttpRequest,
        provider: str,
        timeout: aiohttp.ClientTimeout,
    ) -> None:
        self._session = session
        self._request = request
        self._provider = provider
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        """Returns when the answer's head has come. Raises ProviderRejected for an address that is none."""
        content = self._request.content
        headers = self._request.headers
        if self._request.sign:
            headers = {**headers, **self._request.sign()}
        try:
            self._response = await self._session.post(
                self._request.url,
                data=content if len(content) <= _LARGE_BYTES else BytesIO(content),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (*_FAILURES, ValueError) as error:  # ValueError: what cannot be written as HTTP
            raise provider_error(error, self._provider) from error
        self.status = self._response.status
        self.headers = self._response.headers
        return self

    async def __aexit__(self, *_: object) -> None:
        self._response.close()

    async def piece(self) -> bytes:
        """The bytes that have come since the last; none at the end."""
        try:
            return await next_bytes(self._response.content)
        except _FAILURES as error:
            raise provider_error(error, self._provider) from error

    async def settle(self) -> None:
        """Take in what is there already, so that a connection with no more to say is used again."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def whole(self) -> HttpAnswer:
        """All of it. Raises ProviderGarbled where it is over 64 MiB."""
        if (self._response.content_length or 0) > MAX_ANSWER_BYTES:
            raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        while piece := await self.piece():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise self._too_large()
        return HttpAnswer(self.status, self.headers, b"".join(pieces))

    def _too_large(self) -> ProviderGarbled:
        return ProviderGarbled(
            f"{self._provider} answered with more than {MAX_ANSWER_BYTES // 2**20} MiB.",
            provider=self._provider,
            upstream_status=self.status,
        )


async def next_bytes(content: aiohttp.StreamReader) -> bytes:
    """What has come since the last time, none at the end; then what broke the connection is raised.

    By itself aiohttp's reader raises at once, and nobody gets what it holds.
    """
    failure = content.exception()
    if failure is None:
        return await content.readany()
    content.set_exception(None)  # type: ignore[arg-type]  # it gives nothing while it has one
    held = content.read_nowait()
    content.set_exception(failure)
    if not held:
        raise failure
    return held


@lru_cache
def _time_out(total_seconds: float | None, silence_seconds: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total_seconds,
        connect=CONNECT_SECONDS,
        sock_read=silence_seconds,
        ceil_threshold=_EXACT,
    )


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that the native lane's client trusts too: SSL_CERT_FILE, else certifi's."""
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
