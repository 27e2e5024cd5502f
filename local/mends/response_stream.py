"""What API Gateway takes for a streamed response: JSON with status and headers, eight zero bytes, the body.

A function behind an integration of the transfer mode STREAM is called by InvokeWithResponseStream,
which answers what the function wrote, as it is; one that does not write a stream answers in one piece.
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

import json
from typing import Any

_PATH = "/response-streaming-invocations"
_DELIMITER = "\0" * 8
_HEAD_LIMIT = 16 * 1024
_HEAD = {"statusCode", "headers", "multiValueHeaders", "cookies"}


def is_streamed(integration: dict[str, Any]) -> bool:
    return str(integration.get("uri", "")).endswith(_PATH)


def as_buffered(integration: dict[str, Any]) -> dict[str, Any]:
    """The same function behind an ordinary integration, which is all that ministack knows."""
    return {**integration, "uri": integration["uri"].replace(_PATH, "/invocations")}


def read_stream(payload: Any) -> dict[str, Any] | None:
    """The proxy answer that a function wrote as a stream; None where it is no such stream."""
    head, delimiter, body = str(payload).partition(_DELIMITER)
    if not delimiter or len(head.encode()) > _HEAD_LIMIT:
        return None
    try:
        answer = json.loads(head)
    except ValueError:
        return None
    if not isinstance(answer, dict) or not set(answer) <= _HEAD:
        return None
    return {"statusCode": 200, **answer, "body": body}
