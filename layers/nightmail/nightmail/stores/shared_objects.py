"""The bucket as providers see it that read from it and write to it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nightmail.errors import NotFound
from nightmail.file import Segment
from nightmail.stores.objects import ObjectStore


class SharedObjects:
    """The `Objects` of `providers.objects`, in S3."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def uri(self, key: str) -> str:
        return self._store.uri(key)

    def write(self, key: str, chunks: Iterable[bytes]) -> None:
        writer = self._store.writer(key)
        for chunk in chunks:
            writer.write(chunk)
        writer.complete()

    def has(self, key: str) -> bool:
        try:
            self._store.stat(key)
        except NotFound:
            return False
        return True

    def read(self, key: str, start: int) -> Iterator[bytes]:
        segment = Segment(key=key, size=self._store.stat(key).size)
        return self._store.chunks([segment], start)
