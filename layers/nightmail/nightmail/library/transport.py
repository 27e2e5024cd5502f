"""Requests to one server: redirects, time-outs, and what is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import aiohttp

from nightmail.engine.backoff import backoff_seconds
from nightmail.engine.client import CONNECT_SECONDS
from nightmail.library.credentials import Credentials
from nightmail.library.exceptions import APIConnectionError, APIError, APITimeoutError
from nightmail.library.failures import failure_answered

RETRIES = 2
SECONDS = 600.0
_SILENCE_SECONDS = 120.0
_LONGEST_WAIT_SECONDS = 60.0
_ELSEWHERE = frozenset({HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT})
_NOT_BEGUN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_PASSING = _NOT_BEGUN | {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """`content` makes what is sent, for each try anew: bytes, or a form. One that `is_elsewhere` has a
    whole URL as its path, and goes without the key.

    `repeatable`: it does no harm twice, so that it may be asked again although it may have arrived.
    Unless it `follows`, the answer may be that the content is elsewhere.
    `seconds` is the time for all of one answer; None where only silence ends it.
    """

    method: str = "GET"
    path: str
    content: Callable[[], Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_elsewhere: bool = False
    follows: bool = True
    repeatable: bool = False
    retries: int = RETRIES
    seconds: float | None = SECONDS


class Transport:
    """Sends requests with one key to the server at `base`; `name` is what errors call it."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, credentials: Credentials, name: str
    ) -> None:
        self.name = name
        self._session = session
        self._base = base.rstrip("/")
        self._headers = dict(credentials.headers)
        if credentials.key:
            self._headers["authorization"] = f"Bearer {credentials.key}"

    async def answer(self, request: Request) -> aiohttp.ClientResponse:
        """A good answer, to be read and closed. Raises APIError."""
        tries = 0
        while True:
            try:
                return await self._good(request)
            except APIError as error:
                if tries >= request.retries or not _heals(error, request):
                    raise
                told = error.retry_after_seconds
                seconds = backoff_seconds(tries) if told is None else told
                await asyncio.sleep(min(seconds, _LONGEST_WAIT_SECONDS))
                tries += 1

    async def _good(self, request: Request) -> aiohttp.ClientResponse:
        with connection_errors(self.name):
            response = await self._once(request)
            if response.ok:
                return response
            async with response:
                content = await response.read()
        raise failure_answered(response.status, content, response.headers, self.name)

    async def _once(self, request: Request) -> aiohttp.ClientResponse:
        """Answers that are elsewhere are fetched there without the key."""
        timeout = aiohttp.ClientTimeout(
            total=request.seconds, connect=CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
        )
        url = request.path if request.is_elsewhere else f"{self._base}{request.path}"
        response = await self._session.request(
            request.method,
            url,
            params=request.query,
            data=_sendable(request.content() if request.content else None),
            headers={**({} if request.is_elsewhere else self._headers), **request.headers},
            timeout=timeout,
            allow_redirects=False,
        )
        is_elsewhere = response.status in _ELSEWHERE and "location" in response.headers
        if is_elsewhere and request.follows:
            response.release()
            there = urljoin(url, response.headers["location"])
            return await self._session.get(there, timeout=timeout, allow_redirects=False)
        return response


@contextmanager
def connection_errors(server: str) -> Iterator[None]:
    """What keeps an answer from coming, without addresses in it."""
    try:
        yield
    except (aiohttp.ServerTimeoutError, TimeoutError) as error:
        raise APITimeoutError(f"{server} did not answer in time.", llm_provider=server) from error
    except aiohttp.InvalidURL as error:
        raise APIError(f"The base URL of {server} is no URL.", llm_provider=server) from error
    except aiohttp.ClientError as error:
        reason = type(error).__name__
        raise APIConnectionError(
            f"{server} could not be reached: {reason}.", llm_provider=server
        ) from error


def _sendable(content: Any) -> Any:
    """Large bytes as a file, which aiohttp wants, and sends in pieces."""
    return BytesIO(content) if isinstance(content, bytes) else content


def _heals(error: APIError, request: Request) -> bool:
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        return True
    if error.status_code is None:
        return request.repeatable and isinstance(error, APIConnectionError)
    return error.status_code in (_PASSING if request.repeatable else _NOT_BEGUN)
