"""A batch that was written is started. The record is the acknowledgement, so this may not be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.errors import StorageUnavailable
from nightmail.payloads import BatchTask
from nightmail.stores.batches import PREFIX
from nightmail.stores.executions import Executions
from nightmail.stores.stream import Change, sequence_number
from nightmail.telemetry import logger


def start_batches(records: Sequence[dict[str, Any]], executions: Executions) -> list[str]:
    """Start the execution of every batch that the stream's `records` tell of.

    Answers the sequence numbers of those that have to come again; the others are done. One that
    cannot be read is logged and passed over: it would hold up all that follow.
    """
    failed = []
    for record in records:
        try:
            _start(Change.of(record), executions)
        except StorageUnavailable:
            logger.exception("not started", extra={"event_id": record.get("eventID")})
            failed.append(sequence_number(record))
        except (KeyError, TypeError, ValueError):
            logger.exception("unreadable record", extra={"event_id": record.get("eventID")})
    return failed


def _start(change: Change, executions: Executions) -> None:
    """The keys say all that is needed, so a batch that cannot be read is started too."""
    if change.kind == "INSERT" and change.key.sk.startswith(PREFIX):
        batch_id = change.key.sk.removeprefix(PREFIX)
        executions.start(BatchTask(owner=change.owner, batch_id=batch_id))
        logger.info("started", extra={"batch_id": batch_id})
