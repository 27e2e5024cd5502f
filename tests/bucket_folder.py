"""A bucket that is a folder: what a gateway writes there, the simulator reads, and the other way round."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from nightmail.errors import NotFound

_URI = "s3://nightmail-bucket/"
_PIECE = 64 * 1024


class BucketFolder:
    """The `Objects` of an adapter and the `Buckets` of the simulator. It is gone with its process."""

    def __init__(self) -> None:
        self._root = TemporaryDirectory(prefix="bucket-")

    def uri(self, key: str) -> str:
        return _URI + key

    def write(self, key: str, chunks: Iterable[bytes]) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(chunks)

    def has(self, key: str) -> bool:
        return self.path(key).exists()

    def read(self, key: str, start: int) -> Iterator[bytes]:
        if not self.has(key):
            raise NotFound(f"There is no object {key}.")
        with self.path(key).open("rb") as file:
            file.seek(start)
            while piece := file.read(_PIECE):
                yield piece

    def fetch(self, uri: str, path: Path) -> bool:
        source = self.path(uri.removeprefix(_URI))
        if not source.exists():
            return False
        shutil.copyfile(source, path)
        return True

    def store(self, path: Path, uri: str) -> None:
        self.write(uri.removeprefix(_URI), [path.read_bytes()])

    def path(self, key: str) -> Path:
        return Path(self._root.name) / key


BUCKET = BucketFolder()
