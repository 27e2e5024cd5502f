"""A page of result lines, and the cursor from which the next one goes on."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nightmail.errors import InvalidRequest

CursorT = TypeVar("CursorT", bound=BaseModel)
_MOST_BYTES = 64 * 1024  # of a cursor's JSON


@dataclass(frozen=True)
class Page:
    """Lines of result files, each with its newline. `is_last`: nothing is behind it, as things stand."""

    lines: list[bytes]
    cursor: str
    is_last: bool


class PageIsFull(Exception):
    """There is a line that has no room."""


class PageDraft:
    """Takes lines while there is room: up to `limit`, and so many bytes; but one always."""

    def __init__(self, limit: int, most_bytes: int) -> None:
        self.lines: list[bytes] = []
        self._lines_left = limit
        self._bytes_left = most_bytes

    def add(self, line: bytes) -> None:
        """Raises PageIsFull."""
        if self.lines and (not self._lines_left or len(line) > self._bytes_left):
            raise PageIsFull
        self.lines.append(line)
        self._lines_left -= 1
        self._bytes_left -= len(line)

    @property
    def lines_left(self) -> int:
        return self._lines_left

    @property
    def bytes_left(self) -> int:
        return self._bytes_left


def to_text(cursor: BaseModel) -> str:
    """A cursor that may stand in a URL and in a header."""
    return urlsafe_b64encode(zlib.compress(cursor.model_dump_json().encode())).decode().rstrip("=")


def from_text(text: str, kind: type[CursorT]) -> CursorT:
    """Raises InvalidRequest where `to_text` did not make it of such a cursor."""
    try:
        packed = urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        return kind.model_validate_json(zlib.decompressobj().decompress(packed, _MOST_BYTES))
    except (ValueError, zlib.error, ValidationError) as error:
        raise wrong_cursor() from error


def wrong_cursor() -> InvalidRequest:
    return InvalidRequest(
        "'after' has to be the x-nightmail-cursor of an earlier answer about the same batch, as it was "
        "given. Leave it out to begin at the first line.",
        param="after",
    )
