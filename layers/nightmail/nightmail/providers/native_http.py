"""The native lane's HTTP: what httpx answers and raises, as our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderUnavailable,
)
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.http import error_of, read_answer

# A file or batch that is not there is news; a slow provider may have taken what it was sent.
_LEAVES: dict[int, type[ProviderError]] = {
    httpx.codes.NOT_FOUND: ProviderNotFound,
    httpx.codes.REQUEST_TIMEOUT: ProviderUnavailable,
}


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


def raise_for_status(response: httpx.Response, provider: str, key: str | None = None) -> None:
    """Raises the leaf of ProviderError that fits; `response` has been read."""
    if not response.is_success:
        leaf = _LEAVES.get(response.status_code)
        raise error_of(_answer(response), provider, key, leaf=leaf)


def json_object(response: httpx.Response, provider: str, key: str | None = None) -> JsonObject:
    """A good answer's body. Raises ProviderGarbled where it is no JSON object."""
    raise_for_status(response, provider, key)
    return read_answer(_answer(response), provider, key)


def _answer(response: httpx.Response) -> HttpAnswer:
    return HttpAnswer(response.status_code, response.headers, response.content)
