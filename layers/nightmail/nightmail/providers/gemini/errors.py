"""Gemini's errors: `{"error": {"code", "message", "status", "details"}}`, sometimes in a list of one.

Source: Google, "Troubleshooting" of the Gemini API, and google.rpc.Status with its details.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from nightmail.errors import ProviderError
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.http import error_of, provider_error
from nightmail.providers.json_text import read_json
from nightmail.providers.rpc_codes import RPC_STATUSES

_WRONG_KEY = "API_KEY_INVALID"
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


@dataclass(frozen=True, slots=True)
class ToldError:
    """What an error says. `status` is HTTP's, None where it tells none."""

    message: str
    code: str | None
    status: int | None
    has_wrong_key: bool
    retry_after_seconds: float | None

    @property
    def words(self) -> tuple[str, str | None, str | None]:
        return self.message, None, self.code


def told_in(body: Any) -> ToldError | None:
    """The error in a body, or None where it tells of none."""
    entry = body[0] if isinstance(body, list) and body else body
    error = entry.get("error") if isinstance(entry, dict) else None
    return to_told(error) if isinstance(error, dict) else None


def to_told(error: JsonObject) -> ToldError:
    details = error.get("details")
    listed = (
        [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    )
    delays = [_seconds(each.get("retryDelay")) for each in listed]
    has_wrong_key = any(each.get("reason") == _WRONG_KEY for each in listed)
    word = _WRONG_KEY if has_wrong_key else error.get("status")
    return ToldError(
        message=str(error.get("message") or ""),
        code=word if isinstance(word, str) and word else None,
        status=_status(error.get("code")),
        has_wrong_key=has_wrong_key,
        retry_after_seconds=next((delay for delay in delays if delay is not None), None),
    )


def to_error(
    answer: HttpAnswer, provider: str, key: str | None, leaf: type[ProviderError] | None = None
) -> ProviderError:
    """The error that an answer of another status than success is; `leaf` replaces its class.

    A wrong key, for which Gemini answers 400, is no fault of the caller's.
    """
    told = told_in(read_json(answer.content))
    if told is None:
        return error_of(answer, provider, key, leaf=leaf)
    means = HTTPStatus.UNAUTHORIZED if told.has_wrong_key else None
    error = error_of(answer, provider, key, lambda _: told.words, leaf=leaf, means=means)
    if error.retry_after_seconds is None:
        error.retry_after_seconds = told.retry_after_seconds
    return error


def late_error(told: ToldError, provider: str, key: str | None) -> ProviderError:
    """An error in a 200, or in mid-stream; one without a status is the server's."""
    return provider_error(
        told.words,
        provider=provider,
        key=key,
        status=HTTPStatus.OK,
        means=told.status or HTTPStatus.INTERNAL_SERVER_ERROR,
        retry_after_seconds=told.retry_after_seconds,
    )


def _status(code: Any) -> int | None:
    if not isinstance(code, int):
        return None
    status = RPC_STATUSES.get(code, code)
    return status if HTTPStatus.BAD_REQUEST <= status < 600 else None  # noqa: PLR2004 - HTTP's last


def _seconds(delay: Any) -> float | None:
    """A protobuf Duration in JSON: `37s`, `1.5s`."""
    found = _SECONDS.fullmatch(delay) if isinstance(delay, str) else None
    return float(found[1]) if found else None
