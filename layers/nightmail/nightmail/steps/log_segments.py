"""Which segments of a chunk's log are joined, so that they stay few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile

from nightmail.file import Segment

_MOST_SEGMENTS = 64  # each is a call for whoever reads the log, and a place in the item
_JOINED_AT_ONCE = 32
_LARGE_BYTES = 32 * 1024 * 1024  # is not joined any more


def to_join(log: Sequence[Segment]) -> tuple[int, int]:
    """Which segments, where there are too many small ones at the end of the log.

    Together large, they become one for good, from the oldest on. Else the newest are joined with those
    before them that are no larger, so that a byte is copied a few times however long the log becomes.
    """
    end = len(log)
    start = end - _small_ones_at_the_end(log)
    if end - start <= _MOST_SEGMENTS:
        return 0, 0
    if size_of(log[start:]) >= _LARGE_BYTES:
        sizes = accumulate(segment.size for segment in log[start:])
        large = next(count for count, size in enumerate(sizes, 1) if size >= _LARGE_BYTES)
        return start, start + large
    first = end - _JOINED_AT_ONCE
    while first > start and log[first - 1].size <= size_of(log[first:]):
        first -= 1
    return first, end


def _small_ones_at_the_end(log: Sequence[Segment]) -> int:
    small = takewhile(lambda segment: segment.size < _LARGE_BYTES, reversed(log))
    return sum(1 for _ in small)


def size_of(segments: Iterable[Segment]) -> int:
    return sum(segment.size for segment in segments)
