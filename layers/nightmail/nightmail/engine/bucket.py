"""A limit per minute as a bucket that fills evenly."""

from __future__ import annotations

_MINUTE_SECONDS = 60
_ROUNDING = 1e-9  # of adding up fractions


class Bucket:
    """So many units a minute, spread over it: at the start a second's worth may go at once.

    It fills so much slower that no window of a minute sees more units than the limit. `now` is in
    seconds of any clock that never goes back.
    """

    __slots__ = ("_level", "_rate", "_seen_at", "_size")

    def __init__(self, per_minute: int) -> None:
        self._size = max(1.0, per_minute / _MINUTE_SECONDS)
        self._rate = (per_minute - (self._size - 1)) / _MINUTE_SECONDS
        self._level = self._size
        self._seen_at: float | None = None

    def seconds_until(self, units: int, now: float) -> float:
        """How long until `units` may be taken. More than the bucket holds go when it is full."""
        self._fill(now)
        missing = min(units, self._size) - self._level
        return missing / self._rate if missing > _ROUNDING else 0.0

    def take(self, units: int) -> None:
        """Take `units`, into debt if they are more than there is; give back if they are negative."""
        self._level = min(self._size, self._level - units)

    def _fill(self, now: float) -> None:
        if self._seen_at is not None:
            filled = self._level + (now - self._seen_at) * self._rate
            self._level = min(self._size, filled)
        self._seen_at = now
