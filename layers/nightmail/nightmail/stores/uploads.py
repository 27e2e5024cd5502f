"""Uploads of an owner. Their parts have no records: each is an object named by the part's id."""

from __future__ import annotations

from nightmail.errors import NotFound
from nightmail.file import StoredFile, Upload, UploadStatus
from nightmail.stores.files import first_write
from nightmail.stores.table import ABSENT, Condition, Item, Key, Put, Table

# The bucket's lifecycle rule removes forgotten parts after 7 days; no object outlives its record.
KEPT_SECONDS = 8 * 24 * 3600
_STILL_PENDING = Condition("#status = :pending", {"pending": UploadStatus.PENDING.value})


def _key(owner: str, upload_id: str) -> Key:
    return Key(f"OWNER#{owner}", f"UPLOAD#{upload_id}")


def _item(upload: Upload) -> Item:
    return {**upload.model_dump(mode="json"), "delete_at": upload.created_at + KEPT_SECONDS}


class UploadStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, owner: str, upload_id: str) -> Upload:
        """Raises NotFound for an unknown id and for another owner's alike."""
        item = self._table.get(_key(owner, upload_id))
        if item is None:
            raise NotFound(f"No such Upload object: {upload_id}", param="upload_id")
        return Upload.model_validate(item)

    def create(self, upload: Upload) -> None:
        """Raises WriteConflict where the id is taken."""
        self._table.put(_key(upload.owner, upload.id), _item(upload), ABSENT)

    def cancel(self, upload: Upload) -> Upload:
        """Raises WriteConflict where it is not pending any more."""
        cancelled = upload.model_copy(update={"status": UploadStatus.CANCELLED})
        self._table.put(_key(upload.owner, upload.id), _item(cancelled), _STILL_PENDING)
        return cancelled

    def complete(self, upload: Upload, file: StoredFile, completion: str) -> Upload:
        """Write the file and that it came of this upload, both or neither.

        Raises WriteConflict where the upload is not pending any more.
        """
        completed = upload.model_copy(
            update={
                "status": UploadStatus.COMPLETED,
                "file_id": file.id,
                "completion": completion,
            }
        )
        record = Put(_key(upload.owner, upload.id), _item(completed), _STILL_PENDING)
        self._table.put_together([record, first_write(file)])
        return completed
