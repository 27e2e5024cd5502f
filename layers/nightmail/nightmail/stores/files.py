"""Files of an owner. `delete_at` is the table's TTL attribute: an expired record goes by itself."""

from __future__ import annotations

from collections.abc import Iterator

from nightmail.errors import NotFound
from nightmail.file import StoredFile
from nightmail.stores.table import ABSENT, Condition, Item, Key, Put, Table

PREFIX = "FILE#"


def _key(owner: str, file_id: str) -> Key:
    return Key(f"OWNER#{owner}", f"{PREFIX}{file_id}")


def _item(file: StoredFile) -> Item:
    return {**file.model_dump(mode="json"), "delete_at": file.expires_at}


def first_write(file: StoredFile) -> Put:
    """The write that makes a new file, for a transaction with others."""
    return Put(_key(file.owner, file.id), _item(file), ABSENT)


class FileStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, owner: str, file_id: str, now: int) -> StoredFile:
        """Raises NotFound for an unknown id, another owner's and an expired one alike."""
        item = self._table.get(_key(owner, file_id))
        file = StoredFile.model_validate(item) if item else None
        if file is None or file.is_expired(now):
            raise NotFound(f"No such File object: {file_id}", param="id")
        return file

    def create(self, file: StoredFile) -> None:
        """Write it; the same file written again is the same file."""
        self._table.put(_key(file.owner, file.id), _item(file))

    def replace(self, file: StoredFile) -> StoredFile:
        """Write a changed file; answers it with its new version.

        Raises WriteConflict where it was changed or deleted since it was read.
        """
        replaced = file.model_copy(update={"version": file.version + 1})
        unchanged = Condition("#version = :version", {"version": file.version})
        self._table.put(_key(file.owner, file.id), _item(replaced), unchanged)
        return replaced

    def delete(self, owner: str, file_id: str) -> None:
        """Remove the record; its objects follow by the table's stream."""
        self._table.delete(_key(owner, file_id))

    def list(
        self,
        owner: str,
        now: int,
        *,
        after: str | None = None,
        newest_first: bool = True,
        page: int = 1000,
    ) -> Iterator[StoredFile]:
        """In order of creation; `after` is the id of the last file of the page before."""
        items = self._table.query(
            f"OWNER#{owner}",
            PREFIX,
            after=f"{PREFIX}{after}" if after else None,
            newest_first=newest_first,
            page=page,
        )
        files = (StoredFile.model_validate(item) for item in items)
        return (file for file in files if not file.is_expired(now))
