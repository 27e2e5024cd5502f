"""The table's stream: a new batch starts its execution."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context
from nightmail.steps.start_batch import start_batches
from nightmail.stores.stream import failures
from nightmail.telemetry import logger


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    logger.append_keys(request_id=context.aws_request_id)
    return failures(start_batches(event["Records"], wiring.executions()))
