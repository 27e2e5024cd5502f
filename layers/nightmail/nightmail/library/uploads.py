"""Files of any size: in one request, or in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from io import BytesIO
from typing import Any

import aiohttp

from nightmail.library.exceptions import NightmailError
from nightmail.library.failures import bad_request
from nightmail.library.file_objects import FileObject
from nightmail.library.gathered import gathered
from nightmail.library.server import Body, Server
from nightmail.library.servers import Home
from nightmail.library.sources import Source

_PARTS_AT_ONCE = 4
_JSONL = "application/jsonl"


async def upload(home: Home, source: Source, purpose: str, extra: Mapping[str, Any]) -> FileObject:
    """Keep a file at its home; `extra` are further fields, such as `expires_after`."""
    if source.size <= home.limits.file:
        return await _in_one(home.server, source, {"purpose": purpose, **extra})
    if not (home.is_gateway or home.limits.part):
        raise bad_request(
            f"The file has {source.size} bytes; {home.server.name} takes up to {home.limits.file}.",
            "file",
        )
    about = {
        "bytes": source.size,
        "filename": source.filename,
        "mime_type": _JSONL,
        "purpose": purpose,
        **extra,
    }
    return await _in_parts(home, source, about)


async def _in_one(server: Server, source: Source, fields: Mapping[str, Any]) -> FileObject:
    with ExitStack() as readers:

        def form() -> aiohttp.FormData:
            written = aiohttp.FormData()
            for name, value in _flat(fields):
                written.add_field(name, value)
            content = readers.enter_context(source.reader())
            written.add_field("file", content, filename=source.filename)
            return written

        return FileObject(await server.post_form("/files", form))


async def _in_parts(home: Home, source: Source, about: Body) -> FileObject:
    """Where it fails, what has arrived is given up."""
    server = home.server
    begun = (await server.post("/uploads", about)).body
    path = f"/uploads/{begun['id']}"
    try:
        if home.is_gateway:
            part_ids = await _put_parts(server, source, begun["nightmail"])
        else:
            part_ids = await _post_parts(server, source, f"{path}/parts", home.limits.part)
        completed = await server.post(f"{path}/complete", {"part_ids": part_ids}, repeatable=True)
    except BaseException:
        with suppress(NightmailError):
            await server.post(f"{path}/cancel", {})
        raise
    return FileObject(completed.body["file"])


async def _put_parts(server: Server, source: Source, page: Body) -> list[str]:
    """Straight to S3, by the gateway's pages of presigned URLs."""
    size: int = page["part_bytes"]
    part_ids: list[str] = []

    async def put(part: Body) -> str:
        content = await asyncio.to_thread(source.read, (part["number"] - 1) * size, size)
        await server.put_elsewhere(part["url"], content)
        return str(part["part_id"])

    while True:
        part_ids += await gathered(page["part_urls"], put, _PARTS_AT_ONCE)
        if not page["next"]:
            return part_ids
        page = await server.get(page["next"])


async def _post_parts(server: Server, source: Source, path: str, size: int) -> list[str]:
    async def post(offset: int) -> str:
        content = await asyncio.to_thread(source.read, offset, size)

        def form() -> aiohttp.FormData:
            written = aiohttp.FormData()
            written.add_field("data", BytesIO(content), filename=source.filename)
            return written

        return str((await server.post_form(path, form))["id"])

    return await gathered(range(0, source.size, size), post, _PARTS_AT_ONCE)


def _flat(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A form's fields are text, and an object's are written `expires_after[seconds]`."""
    flat: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat += [(f"{name}[{inner}]", str(entry)) for inner, entry in value.items()]
        else:
            flat.append((name, str(value)))
    return flat
