"""Objects that are written side by side, piece by piece, within one bound of memory.

A spool's bytes become a segment when there are enough of them, or when all spools together hold too
much: then the fullest is emptied. Pieces have names of their own, so a run that was overtaken spoils
nothing that another has written.
"""

from __future__ import annotations

from uuid import uuid4

from nightmail.file import Segment
from nightmail.stores.objects import ObjectStore

SEGMENT_BYTES = 4 * 1024 * 1024
MOST_BYTES = 256 * 1024 * 1024


class Spools:
    """Opens spools, which share `MOST_BYTES` of memory."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._held = 0
        self._open: set[Spool] = set()

    def open(self, prefix: str, segments: list[Segment]) -> Spool:
        """One whose pieces are named with `prefix`, and go behind those in `segments`."""
        spool = Spool(self, prefix, segments)
        self._open.add(spool)
        return spool

    def close(self, spool: Spool) -> None:
        """All of it is in its segments."""
        spool.flush()
        self._open.discard(spool)

    def grown(self, size: int) -> None:
        """Some spool has so many bytes more."""
        self._held += size
        if self._held > MOST_BYTES:
            max(self._open, key=lambda spool: spool.held).flush()

    def keep(self, key: str, content: bytearray) -> Segment:
        """Bring a piece to the bucket."""
        self._held -= len(content)
        return self._objects.put(key, bytes(content))


class Spool:
    """Bytes that become `segments`."""

    def __init__(self, spools: Spools, prefix: str, segments: list[Segment]) -> None:
        self._spools = spools
        self._prefix = prefix
        self._buffer = bytearray()
        self.segments = segments

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def write(self, content: bytes) -> None:
        self._buffer += content
        self._spools.grown(len(content))
        if len(self._buffer) >= SEGMENT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Make a segment of what is in memory."""
        if self._buffer:
            content, self._buffer = self._buffer, bytearray()
            self.segments.append(self._spools.keep(f"{self._prefix}-{uuid4().hex}", content))


class NoSpools(Spools):
    """For a plan that is only counted: what is written goes nowhere."""

    def open(self, prefix: str, segments: list[Segment]) -> Spool:
        return _Drain(self, prefix, segments)


class _Drain(Spool):
    def write(self, content: bytes) -> None:
        """Keep nothing of it."""
