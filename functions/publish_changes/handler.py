"""The table's stream: changes of batches and files become EventBridge events."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context
from nightmail.steps.publish_changes import publish_changes
from nightmail.stores.stream import failures
from nightmail.telemetry import logger


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    logger.append_keys(request_id=context.aws_request_id)
    return failures(publish_changes(event["Records"], wiring.event_bus()))
