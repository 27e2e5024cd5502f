"""The Files API: create, list, retrieve, delete. Contents are in `content`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from nightmail.api.forms import Form
from nightmail.api.pages import fitting_page
from nightmail.errors import StorageError, TooLarge
from nightmail.file import ExpiresAfter, Segment, StoredFile, object_key
from nightmail.ids import new_file_id
from nightmail.new_file import check_content, check_name, expires_after, expiry, purpose_of
from nightmail.parameters import integer_text, one_of
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

DEFAULT_FILENAME = "upload"
_BIGGEST_PAGE = 10_000
_LONGEST_FILENAME = 1024


def to_file_object(file: StoredFile) -> dict[str, Any]:
    """OpenAI's File object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status.value,
        "status_details": file.status_details,
    }


def check_size(content: bytes, most_bytes: int, param: str) -> None:
    """Raises TooLarge where one request carries more than `most_bytes`."""
    if len(content) > most_bytes:
        raise TooLarge(
            f"'{param}' has {len(content)} bytes; one request takes up to {most_bytes}. Send it in "
            f"parts through /uploads: client.uploads.upload_file_chunked(part_size={most_bytes}).",
            param=param,
        )


class Files:
    """The requests about files. `clock` answers the Unix second."""

    def __init__(self, files: FileStore, objects: ObjectStore, clock: Callable[[], int]) -> None:
        self._files = files
        self._objects = objects
        self._clock = clock

    def create(self, owner: str, form: Form, most_bytes: int) -> dict[str, Any]:
        """Keep the form's `file`. Raises InvalidRequest, or TooLarge over `most_bytes`."""
        purpose = purpose_of(form.fields)
        after = _expires_after(form)
        given = form.file("file")
        filename = (given.filename or DEFAULT_FILENAME)[-_LONGEST_FILENAME:]
        check_size(given.content, most_bytes, "file")
        check_name(purpose, filename, "file")
        check_content(purpose, [given.content], "file")
        now = self._clock()
        file_id = new_file_id()
        segment = Segment(key=object_key(owner, file_id), size=len(given.content))
        file = StoredFile(
            id=file_id,
            owner=owner,
            bytes=segment.size,
            created_at=now,
            expires_at=expiry(purpose, after, now),
            filename=filename,
            purpose=purpose,
            segments=[segment],
        )
        self._keep(file, given.content)
        return to_file_object(file)

    def page(self, owner: str, query: Mapping[str, str]) -> dict[str, Any]:
        """OpenAI's list, newest first unless the query says otherwise. Raises InvalidRequest."""
        limit = integer_text(query.get("limit", str(_BIGGEST_PAGE)), "limit", 1, _BIGGEST_PAGE)
        order = one_of(query.get("order", "desc"), "order", ["asc", "desc"])
        purpose = query.get("purpose")
        found = self._files.list(
            owner,
            self._clock(),
            after=query.get("after"),
            newest_first=order == "desc",
            page=min(limit + 1, 1000),
        )
        wanted = (to_file_object(file) for file in found if purpose in {None, "", file.purpose})
        return fitting_page(islice(wanted, limit + 1), limit)

    def retrieve(self, owner: str, file_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return to_file_object(self._files.get(owner, file_id, self._clock()))

    def delete(self, owner: str, file_id: str) -> dict[str, Any]:
        """Remove the record; erase_file removes the bytes. Raises NotFound."""
        file = self._files.get(owner, file_id, self._clock())
        self._files.delete(owner, file.id)
        return {"id": file.id, "object": "file", "deleted": True}

    def _keep(self, file: StoredFile, content: bytes) -> None:
        """The record comes first: an object without one would never be erased."""
        self._files.create(file)
        try:
            self._objects.put(object_key(file.owner, file.id), content)
        except StorageError:
            self._files.delete(file.owner, file.id)
            raise


def _expires_after(form: Form) -> ExpiresAfter | None:
    """A form's numbers are text."""
    fields: dict[str, Any] | None = form.nested("expires_after")
    if fields and fields.get("seconds", "").isdecimal():
        fields = {**fields, "seconds": int(fields["seconds"][:10])}
    return expires_after(fields, "expires_after")
