"""A removed file's objects go too: the event names those that its record had."""

from __future__ import annotations

from collections.abc import Iterable

from nightmail.errors import NotFound
from nightmail.file import object_key, parts_prefix
from nightmail.steps.join_file import cursor_key, tails_prefix
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore


class Eraser:
    def __init__(self, files: FileStore, objects: ObjectStore) -> None:
        self._files = files
        self._objects = objects

    def erase(self, owner: str, file_id: str, keys: Iterable[str], now: int) -> int:
        """Delete what belonged to the file and to nothing else; answers how many objects it named.

        Does nothing while there is a record of this id.
        """
        if self._is_there(owner, file_id, now):
            return 0
        doomed = {object_key(owner, file_id), cursor_key(owner, file_id)}
        prefixes = {tails_prefix(owner, file_id), *_parts_prefixes(owner, keys)}
        for prefix in prefixes:
            doomed |= {segment.key for segment in self._objects.segments(prefix)}
        self._objects.delete(sorted(doomed))
        return len(doomed)

    def _is_there(self, owner: str, file_id: str, now: int) -> bool:
        try:
            self._files.get(owner, file_id, now)
        except NotFound:
            return False
        return True


def _parts_prefixes(owner: str, keys: Iterable[str]) -> set[str]:
    """The folders of the uploads that the file came from; an upload makes one file."""
    prefixes = set()
    for key in keys:
        _, _, upload_id, *name = key.split("/", 3) if key.count("/") >= 3 else ("", "", "")
        prefix = parts_prefix(owner, upload_id)
        if upload_id and name and key.startswith(prefix):
            prefixes.add(prefix)
    return prefixes
