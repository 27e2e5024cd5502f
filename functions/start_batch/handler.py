"""The table's stream: a new batch starts its execution."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.steps.start_batch import start_batches
from nightmail.stores.stream import failures


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return failures(start_batches(event["Records"], wiring.executions()))
