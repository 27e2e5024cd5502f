"""AWS's binary event streams (`application/vnd.amazon.eventstream`) as events."""

# ruff: noqa: PLC0415 - botocore is imported when a request needs it

from __future__ import annotations

from collections.abc import Iterator

from nightmail.providers.bedrock.aws import needs_botocore
from nightmail.providers.http import garbled
from nightmail.providers.server_sent_events import Event

_NAMES = (":event-type", ":exception-type", ":error-code")


class EventStreamSplitter:
    """Cuts a stream, however it arrives, into events: their types, and what they say."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        with needs_botocore():
            from botocore.eventstream import EventStreamBuffer, ParserError

        self._messages = EventStreamBuffer()
        self._broken = ParserError

    def feed(self, data: bytes) -> Iterator[Event]:
        """Raises ProviderGarbled behind the last event before what is no such stream."""
        self._messages.add_data(data)
        try:
            for message in self._messages:
                told = message.to_response_dict()
                name = next((told["headers"][key] for key in _NAMES if key in told["headers"]), "")
                yield Event(str(name), told["body"])
        except (self._broken, KeyError, ValueError) as error:  # what its headers may hold
            raise garbled(
                self._provider, "with a stream that is no stream of events", 200
            ) from error
