"""The native lane's HTTP: what adapters of batch APIs call by, and what httpx raises as our errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

import httpx

from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnclear,
)
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.http import error_of, read_answer

# A look is short enough for a function of a minute to make two; what is sent takes the time it takes.
LOOK = httpx.Timeout(20, connect=10)
_SECONDS = 120
# A file or batch that is not there is news; a slow provider may have taken what it was sent.
_LEAVES: dict[int, type[ProviderError]] = {
    httpx.codes.NOT_FOUND: ProviderNotFound,
    httpx.codes.REQUEST_TIMEOUT: ProviderUnavailable,
}
# These prove that no request went out.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# These say that none was taken; 529 is Anthropic's 503 ("Errors": overloaded_error).
_NOT_TAKEN = frozenset({429, 503, 529})


class ErrorReader(Protocol):
    """Makes an error of a refusal by `provider`, which was sent `key`.

    `leaf` replaces the class that the refusal's status and words stand for.
    """

    def __call__(
        self,
        answer: HttpAnswer,
        provider: str,
        key: str | None,
        *,
        leaf: type[ProviderError] | None = None,
    ) -> ProviderError: ...


class NativeClient:
    """Calls of one provider's batch API. `http` has its base URL and sends `key`.

    `identity` is the field that has the id of what is listed and started. All methods raise leaves of
    ProviderError.
    """

    def __init__(
        self,
        provider: str,
        http: httpx.Client,
        key: str | None,
        *,
        identity: str = "id",
        read_error: ErrorReader = error_of,
    ) -> None:
        self.provider = provider
        self._http = http
        self._key = key
        self._identity = identity
        self._read_error = read_error

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A good answer, with its headers; `request` is what httpx takes."""
        with transport_errors(self.provider):
            response = self._http.request(method, path, **request)
        self._raise_for_status(response)
        return response

    def send(self, method: str, path: str, **request: Any) -> JsonObject:
        """The answer's body; `request` is what httpx takes."""
        response = self.call(method, path, **request)
        return read_answer(_answer(response), self.provider, self._key)

    def look(self, path: str, query: Mapping[str, Any] | None = None) -> JsonObject:
        return self.send("GET", path, params=query, timeout=LOOK)

    def start(self, path: str, *, wrapper: str | None = None, **request: Any) -> str:
        """Make a call that pays; answers the id of what was started, which lies in the field `wrapper`
        where the answer has it.

        Raises ProviderUnclear unless it is known that nothing was.
        """
        try:
            answer = self.send("POST", path, **request)
            started = answer.get(wrapper) if wrapper else None
            return self.id_of(started if isinstance(started, dict) else answer)
        except (ProviderUnavailable, ProviderGarbled) as error:
            if isinstance(error.__cause__, _NOT_SENT) or error.upstream_status in _NOT_TAKEN:
                raise
            raise ProviderUnclear(
                f"{self.provider} may or may not have started the batch: {error.message}",
                provider=self.provider,
                upstream_status=error.upstream_status,
            ) from error

    def cancel(self, path: str, has_ended: Callable[[], bool]) -> None:
        """Providers refuse to cancel what has ended, each in its own way."""
        try:
            self.send("POST", path, timeout=LOOK)
        except ProviderError:
            if not has_ended():
                raise

    def download(self, path: str, start: int = 0, **request: Any) -> Iterator[bytes]:
        """The bytes from offset `start` on, of a server that knows ranges or of one that does not.

        `request` is what httpx takes.
        """
        # The range is one of what is stored, so it must not come compressed.
        headers = {"range": f"bytes={start}-", "accept-encoding": "identity"} if start else {}
        with (
            transport_errors(self.provider),
            self._http.stream("GET", path, headers=headers, **request) as response,
        ):
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if not response.is_success:
                response.read()
            self._raise_for_status(response)
            skipped = start if response.status_code == httpx.codes.OK else 0
            yield from behind(skipped, response.iter_bytes())

    def id_of(self, entry: JsonObject) -> str:
        identity = entry.get(self._identity)
        if not isinstance(identity, str) or not identity:
            raise ProviderGarbled(
                f"{self.provider} answered without an id.", provider=self.provider
            )
        return identity

    def _raise_for_status(self, response: httpx.Response) -> None:
        """`response` has been read, unless it is a success."""
        if not response.is_success:
            leaf = _LEAVES.get(response.status_code)
            raise self._read_error(_answer(response), self.provider, self._key, leaf=leaf)


@lru_cache(maxsize=32)
def open_client(
    base_url: str,
    headers: tuple[tuple[str, str], ...],
    timeout_seconds: int | None,
    query: tuple[tuple[str, str], ...] = (),
    auth: httpx.Auth | None = None,
) -> httpx.Client:
    """A client that is made once; `query` goes with every call, and `auth` signs each.

    Where it follows to another server, `headers` do not go there.
    """
    # It would log whole URLs, of which some are signed.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.Client(
        base_url=base_url,
        headers=headers,
        params=query,
        auth=auth,
        event_hooks={"request": [_kept_at(httpx.URL(base_url).netloc, headers)]},
        timeout=httpx.Timeout(timeout_seconds or _SECONDS, connect=10),
        # A connection that is kept may be closed by the other side: an answer nobody can tell.
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def _kept_at(home: bytes, headers: tuple[tuple[str, str], ...]) -> Callable[[httpx.Request], None]:
    """Takes `headers` off what does not go to `home`; httpx does so with `authorization` alone."""

    def take_off(request: httpx.Request) -> None:
        if request.url.netloc != home:
            for name, _ in headers:
                request.headers.pop(name, None)

    return take_off


def behind(start: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A stream from offset `start` on."""
    for chunk in chunks:
        if start < len(chunk):
            yield chunk[start:]
        start = max(0, start - len(chunk))


@contextmanager
def transport_errors(provider: str) -> Iterator[None]:
    """Anything that kept an answer from coming is ProviderUnavailable; waiting mends no address."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise ProviderRejected(
            f"{provider} cannot be called: its api_base is not the URL of a server.",
            provider=provider,
        ) from error
    except httpx.TransportError as error:
        raise ProviderUnavailable(
            f"{provider} could not be reached: {type(error).__name__}.", provider=provider
        ) from error
    except httpx.RequestError as error:
        raise ProviderGarbled(
            f"{provider} gave an answer that cannot be read: {type(error).__name__}.",
            provider=provider,
        ) from error


def _answer(response: httpx.Response) -> HttpAnswer:
    return HttpAnswer(response.status_code, response.headers, response.content)
