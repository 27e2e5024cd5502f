"""The API's authorizer: turns a bearer key into its owner."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.api.authorizer import authorize
from nightmail.telemetry import logger


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    logger.append_keys(request_id=event.get("requestContext", {}).get("requestId"))
    return authorize(event, wiring.credentials())
