"""The table's stream: changes of batches and files become EventBridge events."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.steps.publish_changes import publish_changes
from nightmail.stores.stream import failures


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return failures(publish_changes(event["Records"], wiring.event_bus()))
