"""Failures become exceptions: the engine's errors, a server's answers, and errors in a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeGuard

from nightmail.errors import (
    CredentialMissing,
    GatewayError,
    InvalidConfig,
    InvalidRequest,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.library.exceptions import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NightmailError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from nightmail.providers.http import error_details
from nightmail.providers.json_text import read_json

_BY_STATUS: Mapping[int, type[APIError]] = {
    HTTPStatus.BAD_REQUEST: BadRequestError,
    HTTPStatus.UNAUTHORIZED: AuthenticationError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.REQUEST_TIMEOUT: APITimeoutError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.UNPROCESSABLE_ENTITY: UnprocessableEntityError,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimitError,
    HTTPStatus.GATEWAY_TIMEOUT: APITimeoutError,
}
# An error in a list has no status; these are the statuses that its code or else its type would have.
_STATUS_OF_CODE = {
    "API_KEY_INVALID": HTTPStatus.UNAUTHORIZED,  # Gemini's, which comes with a 400
    "model_not_found": HTTPStatus.NOT_FOUND,
    "provider_timed_out": HTTPStatus.GATEWAY_TIMEOUT,
    "rate_limit_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "request_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


def class_for(status: int) -> type[APIError]:
    """OpenAI's class for an HTTP status."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InternalServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else APIStatusError


def own_status(error: GatewayError) -> int:
    """The provider's own status, where it gave one: in a process keys and settings are the caller's."""
    meaning = getattr(error, "meaning", None)
    if _is_error(meaning):
        return meaning
    if isinstance(error, CredentialMissing):
        return int(HTTPStatus.UNAUTHORIZED)
    if isinstance(error, InvalidConfig):
        return int(HTTPStatus.BAD_REQUEST)
    return error.http_status


def failure_of(
    error: GatewayError, model: str | None = None, provider: str | None = None
) -> APIError:
    """An error of the engine's; `provider` is the model's, for requests that never came to it."""
    status = own_status(error)
    kind = class_for(status)
    if isinstance(error, ProviderTimedOut):
        kind = APITimeoutError
    elif isinstance(error, ProviderUnavailable) and not _is_error(error.upstream_status):
        kind = APIConnectionError
    refused = provider if isinstance(error, InvalidRequest | InvalidConfig) else None
    return kind(
        error.message,
        status_code=status,
        model=model,
        llm_provider=getattr(error, "provider", refused),
        param=error.param,
        code=error.code,
        type=error.type,
        retry_after_seconds=getattr(error, "retry_after_seconds", None),
        models=getattr(error, "models", None),
    )


@contextmanager
def failures_of(model: str | None, provider: str | None = None) -> Iterator[None]:
    """Errors of the engine's become exceptions, as `failure_of` makes them."""
    try:
        yield
    except GatewayError as error:
        raise failure_of(error, model, provider) from error


@contextmanager
def asking(models: Sequence[str] | str | None) -> Iterator[None]:
    """Exceptions that name no model get the names that were asked for, with commas between."""
    try:
        yield
    except NightmailError as error:
        names = models if isinstance(models, list | tuple) else [models] if models else []
        error.model = error.model or ", ".join(map(str, names)) or None
        raise


@contextmanager
def own_statuses() -> Iterator[None]:
    """The engine's errors get the status that `own_status` tells."""
    try:
        yield
    except GatewayError as error:
        error.http_status = own_status(error)
        raise


def failure_in(
    described: Mapping[str, Any], model: str | None, status: int | None = None
) -> APIError:
    """The exception for an error object, as it stands in a list, a stream, or a server's answer.

    `status` is that of the answer, where it has one of its own.
    """
    message, param, code = error_details({"error": described})
    details = described.get("nightmail")
    nightmail: Mapping[str, Any] = details if isinstance(details, dict) else {}
    status = status or _status_of(described, nightmail.get("status"))
    return class_for(status)(
        message or f"The answer had status {status}, and no reason.",
        status_code=status,
        model=model,
        llm_provider=nightmail.get("provider"),
        param=param,
        code=code,
        type=described.get("type"),
        models=described.get("models"),
    )


def failure_answered(
    status: int, content: bytes, headers: Mapping[str, str], server: str
) -> APIError:
    """The exception for an answer that is no success; `server` is who gave it."""
    body = read_json(content)
    error = body.get("error") if isinstance(body, dict) else None
    described = error if isinstance(error, dict) else {"message": error_details(body)[0]}
    failure = failure_in(described, None, status)
    failure.llm_provider = failure.llm_provider or server
    failure.retry_after_seconds = _retry_after(headers)
    return failure


def bad_request(message: str, param: str) -> BadRequestError:
    """The library's own refusal."""
    return BadRequestError(
        message, status_code=HTTPStatus.BAD_REQUEST, param=param, type="invalid_request_error"
    )


def _is_error(status: Any) -> TypeGuard[int]:
    return isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST


def _status_of(described: Mapping[str, Any], upstream: Any) -> int:
    if described.get("code") in _STATUS_OF_CODE:
        return int(_STATUS_OF_CODE[described["code"]])
    if _is_error(upstream):
        return upstream
    is_callers = described.get("type") == "invalid_request_error"
    return int(HTTPStatus.BAD_REQUEST if is_callers else HTTPStatus.BAD_GATEWAY)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is left to the usual waits."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
