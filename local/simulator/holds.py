"""Things that wait until a test says go on, so that tests are gated by events and not by clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Holds:
    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Event]] = []

    @property
    def names(self) -> list[str]:
        """The names of all that wait now, in the order in which they came."""
        return [name for name, _ in self._waiting]

    @contextmanager
    def enter(self, name: str) -> Iterator[asyncio.Event]:
        """Stands among the waiting for as long as the block lasts; the event is its release."""
        hold = (name, asyncio.Event())
        self._waiting.append(hold)
        try:
            yield hold[1]
        finally:
            self._waiting = [other for other in self._waiting if other is not hold]

    def release(self, name: str | None = None) -> int:
        """Let all go on that wait now, or those with a name; says how many they were."""
        released = [event for held, event in self._waiting if name in (None, held)]
        for event in released:
            event.set()
        return len(released)


async def first_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Return when one of the events is set, or when the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
