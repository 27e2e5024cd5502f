"""The S3 door: the results of a dropped file are laid under `outbox/`."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, log_about
from nightmail.payloads import BatchTask
from nightmail.steps.deliver_outbox import deliver_outbox


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = BatchTask(owner=event["detail"]["owner"], batch_id=event["detail"]["id"])
    log_about(task, context)
    return {"delivered": deliver_outbox(task, wiring.stores(), wiring.now())}
