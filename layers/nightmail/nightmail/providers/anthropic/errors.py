"""Anthropic's errors where a status of 200 came before them: in an answer, and in mid-stream."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nightmail.errors import ProviderError
from nightmail.providers.http import openai_details, provider_error

# Anthropic, "Errors": the type of an error and its status.
STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def is_error(body: Any) -> bool:
    return isinstance(body, dict) and body.get("type") == "error"


def late_error(content: bytes, provider: str, key: str | None) -> ProviderError:
    """The error that `content` tells of; one of an unknown type is the server's."""
    words = openai_details(content)
    _, _, kind = words
    means = STATUSES.get(kind or "", HTTPStatus.INTERNAL_SERVER_ERROR)
    return provider_error(words, provider=provider, key=key, status=HTTPStatus.OK, means=means)
