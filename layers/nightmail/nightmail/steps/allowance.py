"""What a worker was granted of a limit per minute, and has not used."""

from __future__ import annotations

import math
from collections import deque

from nightmail.quota import LATE_MS

_GROUP_SECONDS = 0.1  # what may go within so short a time may go at once
_LATE_SECONDS = LATE_MS / 1000


class Allowance:
    """Units, each from a moment on and for a second. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, int]] = deque()  # from when, and how many
        self.debt = 0
        """Used before it was granted; less than 0, given back."""

    def add(self, start: float, seconds: float, units: int) -> None:
        """`units` more, spread evenly over so many seconds."""
        pieces = max(1, min(units, math.ceil(seconds / _GROUP_SECONDS)))
        for piece in range(pieces):
            amount = units * (piece + 1) // pieces - units * piece // pieces
            self._pieces.append((start + seconds * piece / pieces, amount))

    def seconds_until(self, now: float) -> float:
        """How long until the next may go: infinity where nothing is granted."""
        self._settle(now)
        if self.debt < 0:
            return 0.0
        return max(0.0, self._pieces[0][0] - now) if self._pieces else math.inf

    def take(self, units: int, now: float) -> None:
        """Use `units`, into debt where they are more than there is; negative ones come back."""
        self.debt += units
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Pay what is owed; drop what came too late."""
        while self._pieces and self._pieces[0][0] <= now:
            start, amount = self._pieces.popleft()
            paid = max(0, min(amount, self.debt))
            self.debt -= paid
            if amount > paid and start + _LATE_SECONDS > now:
                self._pieces.appendleft((start, amount - paid))
                return
