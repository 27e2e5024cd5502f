"""Where a gateway and a provider meet that reads lines from a bucket, and leaves its results there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class Objects(Protocol):
    """A bucket of the gateway's own. All methods raise StorageUnavailable."""

    def uri(self, key: str) -> str:
        """How a provider is told of an object, or of a folder: `s3://bucket/key`."""

    def write(self, key: str, chunks: Iterable[bytes]) -> None:
        """Write an object of any size as a stream; one that was there is replaced."""

    def has(self, key: str) -> bool: ...

    def read(self, key: str, start: int) -> Iterator[bytes]:
        """Its bytes from offset `start` on. Raises NotFound."""
