"""An expired item leaves the table within seconds, and the table's stream tells of it.

ministack looks for expired items once a minute and deletes them without a word in the stream; AWS
writes a REMOVE record by the service itself.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html

Replaces: services.dynamodb._remove_item, for the thread of its own reaper. Uses: _ttl_settings,
_tables, _lock, _emit_stream_event, _stream_records.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import dynamodb

PERIOD_SECONDS = 2
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

_remove_item = dynamodb._remove_item


def _remove_unless_reaper(*item: Any) -> Any:
    """The emulator's own reaper finds nothing to do: it would not tell."""
    if threading.current_thread().name == "dynamodb-ttl-reaper":
        return None
    return _remove_item(*item)


def _reap_for_ever() -> None:
    while True:
        time.sleep(PERIOD_SECONDS)
        with dynamodb._lock:
            for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
                if setting.get("TimeToLiveStatus") == "ENABLED":
                    with request_scope(account, region):
                        _reap(name, setting["AttributeName"])


def _reap(name: str, attribute: str) -> None:
    table = dynamodb._tables.get(name)
    for partition, sort in list(_expired(table, attribute)) if table else ():
        item = _remove_item(table, partition, sort)
        dynamodb._emit_stream_event(name, "REMOVE", item, None)
        dynamodb._stream_records[name][-1]["userIdentity"] = SERVICE


def _expired(table: dict[str, Any], attribute: str) -> Iterator[tuple[str, str]]:
    for partition, items in table["items"].items():
        for sort, item in items.items():
            value = item.get(attribute) or {}
            if "N" in value and float(value["N"]) <= time.time():
                yield partition, sort


def apply() -> None:
    dynamodb._remove_item = _remove_unless_reaper
    threading.Thread(target=_reap_for_ever, daemon=True, name="time-to-live").start()
