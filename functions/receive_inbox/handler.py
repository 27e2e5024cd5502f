"""The S3 door: an object put under `inbox/` becomes a batch."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.door import Drop
from nightmail.steps.receive_inbox import Inbox


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    inbox = Inbox(
        wiring.objects(), wiring.files(), wiring.batches(), wiring.settings().max_batch_bytes
    )
    return {"batch_id": inbox.receive(Drop.of_event(event), wiring.now())}
