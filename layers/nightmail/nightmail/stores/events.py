"""EventBridge: what happened, told to whoever has a rule for it. docs/events.md is the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from nightmail.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "nightmail"
MOST_BYTES = 256 * 1024  # all entries of one call (EventBridge user guide, PutEvents entry size)
_MOST_ENTRIES = 10


@dataclass(frozen=True)
class Event:
    """One event; `detail` is a JSON object."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes that EventBridge counts."""
        return len(SOURCE) + len(self.detail_type) + len(orjson.dumps(self.detail))


class EventBus:
    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, events: Sequence[Event]) -> list[int]:
        """Tell all of them. Answers the indexes of those that EventBridge did not take."""
        return [index for chunk in _chunks(events) for index in self._put_chunk(events, chunk)]

    def _put_chunk(self, events: Sequence[Event], chunk: range) -> list[int]:
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._name,
                        "Source": SOURCE,
                        "DetailType": events[index].detail_type,
                        "Detail": orjson.dumps(events[index].detail).decode(),
                    }
                    for index in chunk
                ]
            )
        except (ClientError, BotoCoreError) as error:
            logger.warning("events not taken", extra={"error": str(error), "events": len(chunk)})
            return list(chunk)
        return [
            index
            for index, entry in zip(chunk, answer["Entries"], strict=True)
            if "ErrorCode" in entry
        ]


def _chunks(events: Sequence[Event]) -> Iterator[range]:
    """Runs of indexes that fit into one call each; an event too big for any call goes alone."""
    start, size = 0, 0
    for index, event in enumerate(events):
        if index > start and (index - start == _MOST_ENTRIES or size + event.size > MOST_BYTES):
            yield range(start, index)
            start, size = index, 0
        size += event.size
    if start < len(events):
        yield range(start, len(events))
