"""The one place where an HTTP outcome of a provider becomes an error."""

from __future__ import annotations

import math
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

_UNAVAILABLE = frozenset({408, 409, 425})  # and everything from 500 on
_SERVER_ERROR = 500
_NEVER_HEALS = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"}
)
_QUEUE_FULL = "token_limit_exceeded"
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|fw)[-_][\w*.-]{5,}[\w*]|\bAIza[\w*-]{8,}|\bBearer\s+[\w*.-]{6,}"
)
_MESSAGE_CHARACTERS = 500


def without_secrets(text: str, key: str | None = None) -> str:
    """The provider's words without `key`, nor anything that looks like one."""
    blanked = text.replace(key, "***") if key else text
    return _SECRET.sub("***", blanked)[:_MESSAGE_CHARACTERS]


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


def raise_for_status(response: httpx.Response, provider: str) -> None:
    """Raises the leaf of ProviderError that fits; `response` has been read."""
    if response.is_success:
        return
    message, param, code = _envelope(response)
    key = response.request.headers.get("authorization", "").removeprefix("Bearer ")
    text = f"{provider} answered {response.status_code}: {without_secrets(message, key)}"
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
    if status >= _SERVER_ERROR or status in _UNAVAILABLE:
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
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = _seconds(headers["retry-after"])
    except (KeyError, ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return parsedate_to_datetime(value).timestamp() - time()
