"""Server-sent events, as far as providers' streams use them (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from nightmail.errors import ProviderGarbled

MAX_EVENT_BYTES = 16 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name ("message" where none is given), and its data without the last newline."""

    name: str
    data: bytes


class Splitter(Protocol):
    """Cuts a stream of bytes into events."""

    def feed(self, data: bytes) -> Iterable[Event]:
        """The events that `data` completes. Raises ProviderGarbled for what is no such stream."""


class EventSplitter:
    """Cuts a stream of bytes, however it arrives, into events. Those without data are none."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._rest = b""
        self._is_at_start = True
        self._is_after_return = False
        self._name = ""
        self._data: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises ProviderGarbled where one has no end."""
        *lines, self._rest = (self._rest + self._with_newlines(data)).split(b"\n")
        if lines and self._is_at_start:
            self._is_at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        events = [event for line in lines if (event := self._take(line))]
        if self._held + len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderGarbled(
                f"{self._provider} answered 200 with a stream that is no stream of events.",
                provider=self._provider,
                upstream_status=200,
            )
        return events

    def _with_newlines(self, data: bytes) -> bytes:
        """A carriage return ends its line at once: an event must not wait for what may follow it."""
        if not data:
            return data
        mine = data.removeprefix(b"\n") if self._is_after_return else data
        self._is_after_return = data.endswith(b"\r")
        return mine.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes) -> Event | None:
        if line:
            self._note(line)
            return None
        data = b"\n".join(self._data)
        event = Event(self._name or "message", data) if data else None
        self._name, self._data, self._held = "", [], 0
        return event

    def _note(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._held += len(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
