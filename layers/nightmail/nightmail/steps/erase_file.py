"""A removed file's objects go too: the event names those that its record had."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nightmail.errors import NotFound
from nightmail.file import object_key
from nightmail.steps.join_file import cursor_key
from nightmail.steps.waits import Clock
from nightmail.stores.files import FileStore
from nightmail.stores.multipart import tails_prefix
from nightmail.stores.objects import ObjectStore

# One part of an upload. An upload makes one file, so all its parts go with it.
_PART = re.compile(r"(uploads/([^/]+)/[^/]+/)[^/]+")


class Eraser:
    def __init__(self, files: FileStore, objects: ObjectStore, clock: Clock) -> None:
        self._files = files
        self._objects = objects
        self._clock = clock

    def erase(self, owner: str, file_id: str, keys: Iterable[str]) -> bool:
        """Delete what belonged to the file and to nothing else; `keys` are those of its record.

        False where nothing was done because there is a record of this id.
        """
        if self._is_there(owner, file_id):
            return False
        doomed = {object_key(owner, file_id), cursor_key(owner, file_id)}
        for prefix in {tails_prefix(object_key(owner, file_id)), *_uploads_of(owner, keys)}:
            doomed |= {segment.key for segment in self._objects.segments(prefix)}
        self._objects.delete(sorted(doomed))
        return True

    def _is_there(self, owner: str, file_id: str) -> bool:
        try:
            self._files.get(owner, file_id, self._clock())
        except NotFound:
            return False
        return True


def _uploads_of(owner: str, keys: Iterable[str]) -> set[str]:
    """The prefixes of the uploads that these parts belong to, if they are the owner's."""
    parts = filter(None, map(_PART.fullmatch, keys))
    return {part[1] for part in parts if part[2] == owner}
