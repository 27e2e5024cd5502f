"""Server-sent events, as far as providers' streams use them (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import NamedTuple

from nightmail.errors import ProviderGarbled

MAX_EVENT_BYTES = 16 * 1024 * 1024


class Event(NamedTuple):
    """One event: its name ("message" where none is given), and its data without the last newline."""

    name: str
    data: bytes


class EventSplitter:
    """Cuts a stream of bytes, however it arrives, into events."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises ProviderGarbled where one has no end."""
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderGarbled(
                f"{self._provider} sent a stream that is no stream of events.",
                provider=self._provider,
            )
        return [event for line in lines if (event := self._take(line))]

    def _take(self, line: bytes) -> Event | None:
        if line:
            self._note(line)
            return None
        event = Event(self._name or "message", b"\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return event

    def _note(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
