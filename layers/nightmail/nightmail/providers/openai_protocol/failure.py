"""Errors that come without an error's status: in a 200, or in the middle of a stream. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.errors import ProviderError
from nightmail.providers.http import error_details, provider_error

_STATUSES = range(400, 600)
_UNKNOWN = 500  # it may be better the next time
# Types and codes of OpenAI's API (its error guide), and vLLM's types.
_MEANINGS = {
    "authentication_error": 401,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "notfounderror": 404,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
}


def failure_in(body: Mapping[str, Any], provider: str, key: str | None) -> ProviderError | None:
    """The error that `body` tells of, or None. A Response of OpenAI's carries its own in place."""
    error = body.get("error")
    is_old_vllm = body.get("object") == "error"
    if is_old_vllm:
        error = body
    elif not error or body.get("object") == "response":
        return None
    return provider_error(
        error_details(body), provider=provider, key=key, status=200, means=_meaning(error)
    )


def _meaning(error: Any) -> int:
    """The status that it would have had."""
    if not isinstance(error, dict):
        return _UNKNOWN
    words = [str(error.get(name)).lower() for name in ("status", "status_code", "code", "type")]
    numbers = [int(word) for word in words if word.isdecimal() and len(word) == 3]  # noqa: PLR2004 - a status has three digits
    told = [number for number in numbers if number in _STATUSES]
    return next(iter(told + [_MEANINGS[word] for word in words if word in _MEANINGS]), _UNKNOWN)
