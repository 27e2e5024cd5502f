"""The log of every call: a test's witness of what a gateway really did."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

# Enough for every test; a bench may go on for hours. What is counted is never forgotten.
MOST_CALLS = 50_000
_MOST_EVENTS = 4 * MOST_CALLS

EventName = Literal[
    "arrived", "held", "released", "began", "token", "answered", "cut", "disconnected", "release"
]


@dataclass(slots=True)
class Call:
    """One HTTP call. It is in the log from its first byte; `finished` tells whether it is over.

    `bytes` and `digest` are those of the call's body (of an upload: the file's digest); `status`
    is null as long as none was sent, `disconnected` that the client did not wait for the whole
    answer. `events` has, for each thing that happened to the call, its place among all events.
    """

    n: int
    time: float
    method: str
    path: str
    query: str
    provider: str
    key: str = ""
    model: str | None = None
    stream: bool = False
    bytes: int = 0
    status: int | None = None
    digest: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None
    disconnected: bool = False
    finished: bool = False
    events: dict[str, int] = field(default_factory=dict)


class Happening(NamedTuple):
    """`place` counts all of them, from 1; `call` is the number of a call, or null."""

    place: int
    event: EventName
    call: int | None
    name: str


@dataclass(slots=True)
class Totals:
    """What a model was asked, and what became of it. `answered`: a 200 was sent to its end."""

    calls: int = 0
    in_flight: int = 0
    peak: int = 0
    answered: int = 0
    disconnected: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


class Watch:
    """Waits for calls to which something happens."""

    def __init__(self, event: str, wanted: dict[str, str], count: int) -> None:
        self.calls: dict[int, Call] = {}
        self.is_over = asyncio.Event()
        self._event = event
        self._wanted = wanted
        self._count = count

    def look(self, call: Call) -> None:
        if self._event in call.events and matches(call, self._wanted):
            self.calls[call.n] = call
        if len(self.calls) >= self._count:
            self.is_over.set()


class Log:
    """The last calls and events since the start or the last clearing, in their order."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file.open("ab", buffering=0) if file else None
        self._watches: list[Watch] = []
        self.clear()

    def clear(self) -> None:
        self.calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self.events: deque[Happening] = deque(maxlen=_MOST_EVENTS)
        self.totals: dict[tuple[str, str], Totals] = {}
        self._numbers = itertools.count(1)
        self._places = itertools.count(1)

    def begin(self, *, method: str, provider: str, path: str, query: str) -> Call:
        call = Call(next(self._numbers), time.time(), method, path, query, provider)
        self.calls.append(call)
        return call

    def arrive(self, call: Call) -> None:
        """The call was read, so that its model is known."""
        totals = self.totals_of(call)
        totals.calls += 1
        totals.in_flight += 1
        totals.peak = max(totals.peak, totals.in_flight)
        self.note("arrived", call)

    def note(self, event: EventName, call: Call | None = None, name: str = "") -> None:
        """Something happened, to a call or to the holds of a name."""
        place = next(self._places)
        self.events.append(Happening(place, event, call.n if call else None, name))
        if call:
            call.events.setdefault(event, place)
            for watch in self._watches:
                watch.look(call)

    def end(self, call: Call) -> None:
        call.finished = True
        if "arrived" in call.events:
            self._count(call)
        if self._file:
            self._file.write(orjson.dumps(asdict(call), option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        if self._file:
            self._file.close()

    def totals_of(self, call: Call) -> Totals:
        return self.totals.setdefault((call.provider, call.model or ""), Totals())

    def matching(self, wanted: dict[str, str]) -> list[Call]:
        """The calls whose fields, as text, match the wanted shell patterns: `path=/batches/*`."""
        return [call for call in self.calls if matches(call, wanted)]

    @contextmanager
    def watching(self, watch: Watch) -> Iterator[asyncio.Event]:
        """For as long as the block lasts the watch sees all calls, those before it included."""
        for call in self.calls:
            watch.look(call)
        self._watches.append(watch)
        try:
            yield watch.is_over
        finally:
            self._watches.remove(watch)

    def _count(self, call: Call) -> None:
        totals = self.totals_of(call)
        # A call that a clearing of the log overtook was counted before it.
        totals.in_flight = max(0, totals.in_flight - 1)
        totals.answered += "answered" in call.events
        totals.disconnected += call.disconnected
        if call.status:
            status = str(call.status)
            totals.statuses[status] = totals.statuses.get(status, 0) + 1


def matches(call: Call, wanted: dict[str, str]) -> bool:
    return all(fnmatchcase(_as_text(getattr(call, name)), wanted[name]) for name in wanted)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
