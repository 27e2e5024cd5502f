"""The S3 door: the results of a dropped file are laid under `outbox/`."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.steps.deliver_outbox import Outbox


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    outbox = Outbox(wiring.objects(), wiring.files(), wiring.batches(), wiring.shards())
    detail = event["detail"]
    return {"delivered": outbox.deliver(detail["owner"], detail["id"], wiring.now())}
