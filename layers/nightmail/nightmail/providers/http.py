"""The one place where an HTTP outcome of a provider becomes an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx
import orjson

from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderQueueFull,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)

_UNAVAILABLE = frozenset({408, 409, 500, 502, 503, 504, 529})
_NEVER_HEALS = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"}
)
_QUEUE_FULL = "token_limit_exceeded"
_SECRET = re.compile(r"\b(?:sk|key|gsk|xai|Bearer)[-_ ][A-Za-z0-9_*.-]{6,}")
_MESSAGE_CHARACTERS = 1000


def without_secrets(text: str) -> str:
    """The provider's words, with anything that looks like a key blanked."""
    return _SECRET.sub("***", text)[:_MESSAGE_CHARACTERS]


@contextmanager
def transport_errors(provider: str) -> Iterator[None]:
    """Anything that kept an answer from coming is ProviderUnavailable."""
    try:
        yield
    except httpx.TransportError as error:
        raise ProviderUnavailable(
            f"{provider} could not be reached: {type(error).__name__}.", provider=provider
        ) from error


def raise_for_status(response: httpx.Response, provider: str) -> None:
    """Raises the leaf of ProviderError that fits; `response` has been read."""
    if response.is_success:
        return
    message, param, code = _envelope(response)
    text = f"{provider} answered {response.status_code}: {without_secrets(message)}"
    leaf = _leaf(response.status_code, code)
    raise leaf(
        text,
        provider=provider,
        upstream_status=response.status_code,
        retry_after_seconds=_retry_after(response.headers),
        param=param,
        code=code,
    )


def json_object(response: httpx.Response, provider: str) -> dict[str, Any]:
    """A good answer's body. Raises ProviderGarbled where it is no JSON object."""
    raise_for_status(response, provider)
    try:
        body = orjson.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ProviderGarbled(
            f"{provider} answered {response.status_code} with something that is not a JSON object.",
            provider=provider,
            upstream_status=response.status_code,
        )
    return body


def _leaf(status: int, code: str | None) -> type[ProviderError]:
    if code == _QUEUE_FULL:
        return ProviderQueueFull
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return ProviderRejected if code in _NEVER_HEALS else ProviderThrottled
    if status in _UNAVAILABLE:
        return ProviderUnavailable
    return ProviderNotFound if status == httpx.codes.NOT_FOUND else ProviderRejected


def _envelope(response: httpx.Response) -> tuple[str, str | None, str | None]:
    """Message, param and code, wherever an OpenAI-like server puts them."""
    try:
        body = orjson.loads(response.content)
    except ValueError:
        return response.reason_phrase or "no reason given", None, None
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error), None, None
    param, code = error.get("param"), error.get("code") or error.get("type")
    return (
        str(error.get("message", "no reason given")),
        str(param) if param is not None else None,
        str(code) if code is not None else None,
    )


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after` (seconds or an HTTP date, RFC 9110)."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        value = headers.get("retry-after")
        return None if value is None else _seconds(value)
    except ValueError:
        return None


def _seconds(value: str) -> float:
    try:
        return max(0.0, float(value))
    except ValueError:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
