"""What kept an answer from coming, in words that show neither addresses nor keys."""

from __future__ import annotations

import aiohttp

from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderTimedOut,
    ProviderUnavailable,
)

# The first that fits counts, so that a class stands before its bases.
_MEANINGS: tuple[tuple[type[Exception], type[ProviderError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, ProviderTimedOut, "accepted no connection in time"),
    (aiohttp.SocketTimeoutError, ProviderTimedOut, "sent nothing for too long"),
    (TimeoutError, ProviderTimedOut, "did not answer in time"),
    (
        aiohttp.ClientConnectorDNSError,
        ProviderUnavailable,
        "could not be reached: its host name is not known",
    ),
    (
        aiohttp.ClientConnectorCertificateError,
        ProviderUnavailable,
        "could not be reached: its certificate is not trusted",
    ),
    (aiohttp.ClientConnectorError, ProviderUnavailable, "could not be reached"),
    (aiohttp.ClientConnectionError, ProviderUnavailable, "closed the connection"),
    (aiohttp.ClientPayloadError, ProviderUnavailable, "broke its answer off"),
    (aiohttp.ClientResponseError, ProviderGarbled, "gave an answer that is not HTTP"),
)
_REJECTED = (
    "cannot be called: its api_base is not the URL of a server, or its key holds a line break"
)


def provider_error(error: Exception, provider: str) -> ProviderError:
    """The leaf for an exception of aiohttp's; what else it refuses to send is ProviderRejected."""
    for kind, leaf, words in _MEANINGS:
        if isinstance(error, kind):
            return leaf(f"{provider} {words}.", provider=provider)
    return ProviderRejected(f"{provider} {_REJECTED}.", provider=provider)
