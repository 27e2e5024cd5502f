"""The functions for files. Each has two forms: `create_file` waits, `acreate_file` is awaited.

Without a gateway they speak to `custom_llm_provider`'s own API, by default OpenAI's. All take `api_key`,
`api_base`, `base_url`, `timeout`, `max_retries`, `headers` and `extra_headers`, and raise NightmailError.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

from nightmail.library.file_objects import FileDeleted, FileObject, FilePage
from nightmail.library.options import read_options
from nightmail.library.process import awaited, blocking
from nightmail.library.servers import home_of
from nightmail.library.sources import FileTypes, opened
from nightmail.library.uploads import upload

__all__ = [
    "FileContent",
    "acreate_file",
    "afile_content",
    "afile_delete",
    "afile_list",
    "afile_retrieve",
    "create_file",
    "file_content",
    "file_delete",
    "file_list",
    "file_retrieve",
]


class FileContent:
    """The bytes of a file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode()

    def read(self) -> bytes:
        return self.content

    def write_to_file(self, path: str | Path) -> None:
        Path(path).write_bytes(self.content)


async def _create_file(file: FileTypes, purpose: str = "batch", **given: Any) -> FileObject:
    """Keep a file: a path, bytes, an open file, or `(filename, content)`; big ones go in parts."""
    options, extra = read_options(given)
    home = home_of(options)
    with ExitStack() as stack:
        source = await asyncio.to_thread(stack.enter_context, opened(file))
        return await upload(home, source, purpose, extra)


async def _file_retrieve(file_id: str, **given: Any) -> FileObject:
    """What is known about a file."""
    options, query = read_options(given)
    return FileObject(await home_of(options).server.get(f"/files/{file_id}", query))


async def _file_list(purpose: str | None = None, **given: Any) -> FilePage:
    """A page of files; `limit`, `after` and `order` may be given."""
    options, query = read_options(given)
    return FilePage(await home_of(options).server.get("/files", {"purpose": purpose, **query}))


async def _file_delete(file_id: str, **given: Any) -> FileDeleted:
    options, _ = read_options(given)
    return FileDeleted(await home_of(options).server.delete(f"/files/{file_id}"))


async def _file_content(file_id: str, **given: Any) -> FileContent:
    """All bytes of a file, in memory; `batch_completion_results` reads results of any size."""
    options, _ = read_options(given)
    async with aclosing(
        await home_of(options).server.content(f"/files/{file_id}/content")
    ) as pieces:
        return FileContent(b"".join([piece async for piece in pieces]))


create_file = blocking(_create_file)
acreate_file = awaited(_create_file)
file_retrieve = blocking(_file_retrieve)
afile_retrieve = awaited(_file_retrieve)
file_list = blocking(_file_list)
afile_list = awaited(_file_list)
file_delete = blocking(_file_delete)
afile_delete = awaited(_file_delete)
file_content = blocking(_file_content)
afile_content = awaited(_file_content)
