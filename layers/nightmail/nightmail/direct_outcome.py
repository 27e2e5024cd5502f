"""The outcome of a line that the gateway called itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.error_object import error_object
from nightmail.errors import CallerError, GatewayError, ProviderError
from nightmail.ids import new_request_id
from nightmail.outcome import Kind, Outcome

_LANE = {"lane": "direct"}
_LEAST_ERROR = 400


def answered(number: int, body: Mapping[str, Any]) -> Outcome:
    """A good answer in OpenAI's form, as it was made by an adapter."""
    plain = dict(body)
    details = {**plain.pop("nightmail", {}), **_LANE}
    return Outcome(number, Kind.ANSWERED, response=_response(200, plain), details=details)


def failed(number: int, error: GatewayError) -> Outcome:
    """A call that failed for good: REFUSED where somebody answered with a status, else FAILED."""
    details = {"provider": error.provider, **_LANE} if isinstance(error, ProviderError) else _LANE
    if status := _status_of(error):
        response = _response(status, {"error": error_object(error)})
        return Outcome(number, Kind.REFUSED, response=response, details=details)
    reason = {"code": error.code or "provider_error", "message": error.message}
    return Outcome(number, Kind.FAILED, error=reason, details=details)


def _status_of(error: GatewayError) -> int | None:
    """The status of an error that was answered; None where none was."""
    if isinstance(error, ProviderError):
        return error.meaning if (error.upstream_status or 0) >= _LEAST_ERROR else None
    return error.http_status if isinstance(error, CallerError) else None


def _response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"status_code": status, "request_id": new_request_id(), "body": dict(body)}
