"""The outcomes of a batch in the order of its input, read as they are wanted.

A gateway's two files are each in that order, and each line's id ends with its number, so they are
merged as they come. A provider's come in any order: they are laid into a temporary file, and what is
held in memory is where each line of it begins.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from nightmail.library.exceptions import NotFoundError
from nightmail.library.server import Body, Server
from nightmail.providers.json_text import read_json

_NUMBER_DIGITS = 12  # hexadecimal, at the end of a line's id
_REFUSED = 400


def number_of(outcome: Body) -> int:
    """The number of a gateway's line in its input, from 1."""
    return int(str(outcome["id"])[-_NUMBER_DIGITS:], 16)


async def merged(server: Server, files: Sequence[str]) -> AsyncGenerator[Body]:
    """The lines of a gateway's files by their numbers."""
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(_lines(server, name))) for name in files
        ]
        heads = [await anext(stream, None) for stream in streams]
        while any(heads):
            at = min(
                (number_of(head), place) for place, head in enumerate(heads) if head is not None
            )[1]
            head = heads[at]
            assert head is not None
            yield head
            heads[at] = await anext(streams[at], None)


async def as_asked(
    server: Server, files: Sequence[str], input_id: str | None
) -> AsyncGenerator[Body]:
    """The lines of a provider's files in the order of the requests in another."""
    places = await _places(server, input_id) if input_id else {}

    async def placed() -> AsyncGenerator[tuple[int, bytes]]:
        for name in files:
            async with aclosing(_file_lines(server, name)) as lines:
                async for line in lines:
                    yield places.get(_custom_id(line), len(places)), line

    async with aclosing(in_order(placed())) as lines:
        async for line in lines:
            if found := json_object(line):
                yield found


async def in_order(placed: AsyncGenerator[tuple[int, bytes]]) -> AsyncGenerator[bytes]:
    """Lines that come with their places, by these; one that comes twice is one."""
    with tempfile.TemporaryFile() as spool:
        begins: list[tuple[int, int]] = []
        async with aclosing(placed):
            async for place, line in placed:
                begins.append((place, spool.tell()))
                spool.write(line + b"\n")
        before = b""
        for _, begin in sorted(begins):
            spool.seek(begin)
            line = spool.readline()
            if line != before:
                yield line
            before = line


async def raw_lines(server: Server, path: str) -> AsyncGenerator[bytes]:
    """The lines of a GET that are not empty, without their ends."""
    rest: list[bytes] = []
    async with aclosing(await server.content(path)) as pieces:
        async for piece in pieces:
            first, *others = piece.split(b"\n")
            rest.append(first)
            for other in others:
                if line := b"".join(rest).strip():
                    yield line
                rest = [other]
    if line := b"".join(rest).strip():
        yield line


def json_object(line: bytes) -> Body:
    """What is none is empty."""
    entry = read_json(line)
    return entry if isinstance(entry, dict) else {}


def told(line: Body) -> Body:
    """With an `error` only where something went wrong: of a request that was refused, the reason is in
    the answer.
    """
    response = line.get("response") or {}
    if line.get("error") is None and response.get("status_code", 0) >= _REFUSED:
        body = response.get("body")
        said = body.get("error") if isinstance(body, dict) else None
        return {**line, "error": said or {"message": str(body)}}
    if line.get("error") is None:
        return {name: value for name, value in line.items() if name != "error"}
    return line


async def _places(server: Server, input_id: str) -> dict[Any, int]:
    """The order of the requests; none where their file is gone."""
    places: dict[Any, int] = {}
    try:
        async with aclosing(_file_lines(server, input_id)) as lines:
            async for line in lines:
                places[_custom_id(line)] = len(places)
    except NotFoundError:
        return {}
    return places


async def _lines(server: Server, file_id: str) -> AsyncGenerator[Body]:
    async with aclosing(_file_lines(server, file_id)) as lines:
        async for line in lines:
            yield json_object(line)


def _file_lines(server: Server, file_id: str) -> AsyncGenerator[bytes]:
    return raw_lines(server, f"/files/{file_id}/content")


def _custom_id(line: bytes) -> Any:
    return json_object(line).get("custom_id")
