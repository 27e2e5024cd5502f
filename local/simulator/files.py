"""Files on disk, in a temporary folder of the simulator's own; results of batches lie there too."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.simulator.errors import file_not_found

_BASE62 = string.ascii_letters + string.digits
_BATCH_FILE_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class File:
    id: str
    path: Path
    filename: str
    purpose: str
    created_at: int
    expires_at: int | None

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def to_object(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class FileStore:
    """Files by id, in the order in which they were made."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="provider-simulator-")
        self._files: dict[str, File] = {}

    def new_path(self) -> Path:
        """Where the content of a file to come may be written."""
        return Path(self._folder.name) / secrets.token_hex(8)

    def add(
        self, path: Path, *, filename: str, purpose: str, expires_after: int | None = None
    ) -> File:
        """Take over a written path as a file. Batch files expire after 30 days by default."""
        now = int(time.time())
        seconds = expires_after or (_BATCH_FILE_SECONDS if purpose.startswith("batch") else None)
        file = File(
            id="file-" + "".join(secrets.choice(_BASE62) for _ in range(22)),
            path=path,
            filename=filename,
            purpose=purpose,
            created_at=now,
            expires_at=now + seconds if seconds else None,
        )
        self._files[file.id] = file
        return file

    def find(self, file_id: str) -> File | None:
        return self._files.get(file_id)

    def get(self, file_id: str) -> File:
        """Raises ApiError, a 404, for an unknown id."""
        if file := self._files.get(file_id):
            return file
        raise file_not_found(file_id)

    def all(self) -> list[File]:
        return list(self._files.values())

    def delete(self, file_id: str) -> None:
        self.get(file_id).path.unlink()
        del self._files[file_id]

    def clear(self) -> None:
        self._files.clear()
        for path in Path(self._folder.name).iterdir():
            path.unlink()

    def close(self) -> None:
        self._files.clear()
        self._folder.cleanup()
