"""What was written is told: changes of batches and files as EventBridge events (docs/events.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import Batch
from nightmail.file import StoredFile
from nightmail.stores.batches import PREFIX as BATCH_PREFIX
from nightmail.stores.events import Event, EventBus
from nightmail.stores.files import PREFIX as FILE_PREFIX
from nightmail.stores.stream import Change, sequence_number
from nightmail.telemetry import logger

BATCH_STATUS_CHANGED = "Batch Status Changed"
FILE_CREATED = "File Created"
FILE_REMOVED = "File Removed"
_KEYS_AN_EVENT = 1000  # at most 150 KB of the 256 KB that an event may have
_BATCH_FIELDS = {
    "id",
    "owner",
    "status",
    "endpoint",
    "created_at",
    "output_file_id",
    "error_file_id",
    "metadata",
}


def publish_changes(records: Sequence[dict[str, Any]], bus: EventBus) -> list[str]:
    """Tell what the stream's `records` say.

    Answers the sequence numbers of those that EventBridge did not take, which have to come again.
    One that cannot be read is logged and passed over: it would hold up all that follow.
    """
    told: list[tuple[str, Event]] = []
    for record in records:
        try:
            events = events_of(Change.of(record))
            told += [(sequence_number(record), event) for event in events]
        except (KeyError, TypeError, ValueError):
            logger.exception("unreadable record", extra={"event_id": record.get("eventID")})
    refused = bus.put([event for _, event in told])
    return list(dict.fromkeys(told[index][0] for index in refused))


def events_of(change: Change) -> list[Event]:
    """What there is to tell of a change, if anything.

    Raises ValueError where the item is not what its key says.
    """
    if change.key.sk.startswith(BATCH_PREFIX):
        return _of_batch(change)
    if change.key.sk.startswith(FILE_PREFIX):
        return _of_file(change)
    return []


def _of_batch(change: Change) -> list[Event]:
    before = change.old["status"] if change.old else None
    if change.new is None or change.new["status"] == before:
        return []
    batch = Batch.model_validate(change.new)
    detail = {
        "v": 1,
        **batch.model_dump(mode="json", include=_BATCH_FIELDS),
        "previous_status": before,
        "request_counts": batch.counts.model_dump(),
    }
    if batch.inbox:
        detail["inbox"] = {"name": batch.inbox.name}
    return [Event(BATCH_STATUS_CHANGED, detail)]


def _of_file(change: Change) -> list[Event]:
    old = StoredFile.model_validate(change.old) if change.old else None
    new = StoredFile.model_validate(change.new) if change.new else None
    if new is None:
        return _of_removed_file(old) if old else []
    if old and (old.segments, old.join_asked_at) == (new.segments, new.join_asked_at):
        return []
    told = {"segments": len(new.segments), "joined": new.is_joined}
    return [Event(FILE_CREATED, {**_naming(new), **told})]


def _of_removed_file(file: StoredFile) -> list[Event]:
    """More than one where its keys do not fit into one."""
    keys = [segment.key for segment in file.segments]
    starts = range(0, max(1, len(keys)), _KEYS_AN_EVENT)
    return [
        Event(FILE_REMOVED, {**_naming(file), "keys": keys[start : start + _KEYS_AN_EVENT]})
        for start in starts
    ]


def _naming(file: StoredFile) -> dict[str, Any]:
    return {"v": 1, "owner": file.owner, "file_id": file.id}
