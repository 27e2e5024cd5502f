"""The S3 door: an object put under `inbox/` becomes a batch."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.door import Drop
from nightmail.invocation import Context
from nightmail.steps.receive_inbox import receive_inbox
from nightmail.telemetry import logger


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    drop = Drop.of_event(event)
    logger.append_keys(
        request_id=context.aws_request_id, batch_id=drop.batch_id, object_key=drop.key
    )
    most_bytes = wiring.settings().max_batch_bytes
    return {"batch_id": receive_inbox(drop, wiring.stores(), most_bytes, wiring.now())}
