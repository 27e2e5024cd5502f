"""What Lambda refuses to take: requests over 6 MB, asynchronous ones over 1 MB.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

Replaces: services.lambda_svc._invoke. The limit of answers is kept where they come in
(lambda_runtime), the one of API Gateway's events where they are made (api_gateway).
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

REQUEST_LIMIT = 6 * 1024 * 1024
ASYNCHRONOUS_LIMIT = 1024 * 1024

_invoke = lambda_svc._invoke


def event_size(event: Any) -> int:
    """Bytes of an event on the wire: compact JSON in UTF-8."""
    return len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode())


async def _invoke_within_limits(
    name: str, event: Any, headers: dict[str, str], *args: Any, **kwargs: Any
) -> Any:
    is_asynchronous = headers.get("x-amz-invocation-type") == "Event"
    limit = ASYNCHRONOUS_LIMIT if is_asynchronous else REQUEST_LIMIT
    if event_size(event) > limit:
        return error_response_json(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
            413,
        )
    return await _invoke(name, event, headers, *args, **kwargs)


def apply() -> None:
    lambda_svc._invoke = _invoke_within_limits
