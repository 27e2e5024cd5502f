"""What the functions for files answer: the objects of OpenAI's API."""

from __future__ import annotations

from nightmail.library.fields import Object

__all__ = [
    "FileDeleted",
    "FileObject",
    "FilePage",
]


class FileObject(Object):
    id: str
    object: str
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: str


class FileDeleted(Object):
    id: str
    object: str
    deleted: bool


class FilePage(Object):
    """One page of files; the last one's id is `after` for the next page."""

    object: str
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
