"""What is uploaded: a file, bytes, or requests, read piece by piece and never held as a whole."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import orjson

from nightmail.library.failures import bad_request

FileTypes = str | os.PathLike[str] | bytes | IO[bytes] | tuple[Any, ...]
"""A path, the content itself, an open file, or OpenAI's `(filename, content)`."""

_FILENAME = "upload.jsonl"  # OpenAI takes no other for a batch
_REQUESTS = "requests.jsonl"


class Source:
    """Bytes on a disk, of a known size, that can be read from any thread."""

    def __init__(self, file: IO[bytes], filename: str) -> None:
        self.filename = filename
        self.size = file.seek(0, os.SEEK_END)
        self._file = file
        self._lock = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def reader(self) -> IO[bytes]:
        """Another file object at the beginning; not to be used while others read."""
        self._file.seek(0)
        return os.fdopen(os.dup(self._file.fileno()), "rb")


@contextmanager
def opened(file: FileTypes) -> Iterator[Source]:
    """Raises OSError for a path that cannot be read, BadRequestError for what is no file."""
    name = None
    if isinstance(file, tuple):
        name, file = file[0], file[1]
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as content:
            yield Source(content, name or Path(file).name)
        return
    if isinstance(file, bytes | bytearray):
        file = BytesIO(file)
    if isinstance(file, tuple) or not hasattr(file, "read"):
        raise bad_request(
            "Invalid type for 'file': expected a path, bytes, a file opened as binary, or "
            "(filename, content).",
            "file",
        )
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield Source(copy, name or Path(str(getattr(file, "name", _FILENAME))).name)


@contextmanager
def written(requests: Iterable[Mapping[str, Any]], endpoint: str) -> Iterator[Source]:
    """Requests as the lines of a file; what a line lacks of its frame is filled in.

    Raises BadRequestError for what is no request.
    """
    with tempfile.TemporaryFile() as file:
        for number, request in enumerate(requests, 1):
            file.write(_line(request, number, endpoint))
        yield Source(file, _REQUESTS)


def _line(request: Mapping[str, Any], number: int, endpoint: str) -> bytes:
    path = f"requests[{number - 1}]"
    if not isinstance(request, Mapping) or not isinstance(request.get("body"), Mapping):
        raise bad_request(
            f"Invalid '{path}': expected an object with a body, such as "
            '{"custom_id": "request-1", "body": {"model": "gpt-4o", "messages": [...]}}.',
            path,
        )
    frame = {"custom_id": f"request-{number}", "method": "POST", "url": endpoint}
    try:
        return orjson.dumps({**frame, **request}, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        raise bad_request(f"'{path}' cannot be written as JSON: {error}.", path) from error
