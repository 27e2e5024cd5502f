"""Answers in OpenAI's forms: the error envelope, lists, headers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import Response

from nightmail.error_object import error_object
from nightmail.errors import GatewayError, ProviderError, StorageError

JSON = "application/json"
# OpenAI's clients try again after these unless told otherwise, and would wait as long for the same.
_AS_IT_WAS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.GATEWAY_TIMEOUT})
_INTERNAL = "The server had an error while processing your request. Try again, or ask with the x-request-id."


def json_response(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response[str]:
    """`body` as JSON."""
    return Response(
        status_code=status,
        content_type=JSON,
        body=orjson.dumps(body).decode(),
        headers=dict(headers or {}),
    )


def event_stream(events: AsyncGenerator[bytes]) -> Response[Any]:
    """Server-sent events, as they come."""
    return Response(
        status_code=200,
        content_type="text/event-stream",
        body=events,
        headers={"cache-control": "no-cache"},
    )


def error_body(
    message: str, error_type: str, param: str | None, code: str | None
) -> dict[str, Any]:
    """OpenAI's envelope: all four keys, `param` and `code` nullable."""
    return {"error": {"message": message, "type": error_type, "param": param, "code": code}}


def error_response(error: GatewayError) -> Response[str]:
    """The one place where an error becomes an answer."""
    headers = {}
    is_for_good = isinstance(error, ProviderError) and not error.retryable
    if error.http_status in _AS_IT_WAS or is_for_good:
        headers["x-should-retry"] = "false"
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds is not None:
        headers["retry-after"] = str(max(1, ceil(seconds)))
    if isinstance(error, StorageError):
        headers["retry-after"] = "2"
    return json_response({"error": error_object(error)}, error.http_status, headers)


def internal_error_response() -> Response[str]:
    """For what nobody foresaw: no internals in it."""
    return json_response(error_body(_INTERNAL, "server_error", None, None), 500)


def page_of(objects: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """OpenAI's list: `first_id` and `last_id` are null on an empty page."""
    return {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }
