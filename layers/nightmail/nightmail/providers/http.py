"""The one place where an HTTP outcome of a provider becomes an error."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import time
from typing import Any

import orjson

from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderQueueFull,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.lines import is_too_deep
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.json_text import read_json

Details = Callable[[bytes], tuple[str, str | None, str | None]]
"""Message, param and code in a provider's error body; an empty message where it gives none."""

SUCCESS = range(200, 300)
_CONFLICTS = frozenset({409, 425})
NEVER_HEALS = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"}
)
_QUEUE_FULL = "token_limit_exceeded"
# What the caller can mend; any other refusal is about the gateway's key or address.
_CALLERS_FAULT = frozenset({400, 404, 413, 422})
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|fw)[-_][\w*.-]{5,}[\w*]|\bAIza[\w*-]{8,}|\bBearer\s+[\w*.-]{6,}"
)
# The address of a server may be as private as its key.
_LINK = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>`]*[^\s\"'<>`.,;:!?)\]}]")
# What is shorter is a word that stands for a key at servers without any: EMPTY, none, key.
_SHORTEST_KEY = 8
_MESSAGE_CHARACTERS = 500


def without_secrets(text: str, key: str | None = None) -> str:
    """The provider's words without `key`, nor anything that looks like one, nor any URL."""
    blanked = text.replace(key, "***") if key and len(key) >= _SHORTEST_KEY else text
    return _LINK.sub("[link]", _SECRET.sub("***", blanked))[:_MESSAGE_CHARACTERS]


def openai_details(content: bytes) -> tuple[str, str | None, str | None]:
    """Message, param and code, wherever an OpenAI-like server puts them."""
    try:
        body = orjson.loads(content)
    except ValueError:
        return "", None, None
    return error_details(body)


def error_details(body: Any) -> tuple[str, str | None, str | None]:
    """The same in a body that is read already."""
    if not isinstance(body, dict):
        return str(body), None, None
    error = body.get("error") or body
    if not isinstance(error, dict):
        return str(error), None, _code(body)
    message = error.get("message") or _detail(error.get("detail"))
    param = error.get("param")
    return str(message or ""), str(param) if param is not None else None, _code(error)


def raise_for_answer(
    answer: HttpAnswer, provider: str, key: str | None, details: Details = openai_details
) -> None:
    """Raises the leaf of ProviderError that fits where `answer` is no success.

    `key` is the one that was sent: a provider may repeat it in its words.
    """
    if answer.status not in SUCCESS:
        raise error_of(answer, provider, key, details)


def error_of(
    answer: HttpAnswer,
    provider: str,
    key: str | None,
    details: Details = openai_details,
    leaf: type[ProviderError] | None = None,
    *,
    means: int | None = None,
) -> ProviderError:
    """The error that `answer` is. `leaf` replaces the one that its status and code stand for, `means`
    its status where that does not fit what it says.
    """
    return provider_error(
        details(answer.content),
        provider=provider,
        key=key,
        status=answer.status,
        means=means,
        retry_after_seconds=_retry_after(answer.headers),
        leaf=leaf,
    )


def provider_error(
    words: tuple[str, str | None, str | None],
    *,
    provider: str,
    key: str | None,
    status: int,
    means: int | None = None,
    retry_after_seconds: float | None = None,
    leaf: type[ProviderError] | None = None,
) -> ProviderError:
    """The error of these `words` (message, param, code).

    `means` is the status that fits an error which came with another one: in a 200, or in mid-stream.
    """
    message, param, code = words
    meaning = means or status
    said = without_secrets(message, key) or _phrase(meaning)
    error = (leaf or _leaf(meaning, code))(
        f"{provider} answered {status}: {said}",
        provider=provider,
        upstream_status=status,
        retry_after_seconds=retry_after_seconds,
        param=param,
        code=code,
    )
    error.meaning = meaning
    if isinstance(error, ProviderRejected):
        _blame(error, meaning)
    return error


def read_answer(
    answer: HttpAnswer, provider: str, key: str | None, details: Details = openai_details
) -> JsonObject:
    """A good answer's body. Raises ProviderGarbled where it is no JSON object that can be written again."""
    raise_for_answer(answer, provider, key, details)
    body = read_json(answer.content)
    if not isinstance(body, dict):
        raise garbled(provider, "with something that is not a JSON object", answer.status)
    if is_too_deep(answer.content, body):
        raise garbled(provider, "with JSON that is nested too deeply", answer.status)
    return body


def garbled(provider: str, what: str, status: int | None = None) -> ProviderGarbled:
    """`what` goes on where "openai answered 200" ends."""
    answered = f"{provider} answered {status}" if status else f"{provider} answered"
    return ProviderGarbled(f"{answered} {what}.", provider=provider, upstream_status=status)


def _leaf(status: int, code: str | None) -> type[ProviderError]:
    if code == _QUEUE_FULL:
        return ProviderQueueFull
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderRejected if code in NEVER_HEALS else ProviderThrottled
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return ProviderTimedOut
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _CONFLICTS:
        return ProviderUnavailable
    return ProviderRejected


def _blame(error: ProviderError, status: int) -> None:
    """Tell the caller what the caller can mend, with the provider's own status."""
    if status in _CALLERS_FAULT:
        error.http_status, error.type = status, "invalid_request_error"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        error.http_status = status


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _code(error: Mapping[str, Any]) -> str | None:
    """A number there is a status, which says nothing new (vLLM, OpenRouter)."""
    candidates = (error.get("code"), error.get("type"))
    return next((code for code in candidates if isinstance(code, str) and code), None)


def _detail(detail: Any) -> str:
    """FastAPI's errors, as Mistral and self-made servers send them: a text, or a list of places."""
    if not isinstance(detail, list):
        return str(detail or "")
    entries = [entry for entry in detail if isinstance(entry, dict)]
    return "; ".join(f"{_place(entry.get('loc'))}{entry.get('msg')}" for entry in entries)


def _place(location: Any) -> str:
    steps = location if isinstance(location, list) else []
    return ".".join(str(step) for step in steps) + ": " if steps else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
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
