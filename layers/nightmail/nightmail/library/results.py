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

from nightmail.library.exceptions import APIError, NotFoundError
from nightmail.library.objects import Batch
from nightmail.library.server import Body, Server
from nightmail.library.servers import Home
from nightmail.providers.json_text import read_json

_NUMBER_DIGITS = 12  # hexadecimal, at the end of a line's id
_REFUSED = 400


async def outcomes(home: Home, batch: Batch) -> AsyncGenerator[Body]:
    """The lines of both files. `error` is there only where something went wrong.

    Raises APIError where a completed batch has no files yet.
    """
    files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
    if not files and batch.status == "completed" and batch.request_counts.get("total"):
        raise APIError(  # as OpenAI tells of a batch that has just ended
            f"The results of {batch.id} are not there yet. Ask again in a moment.",
            llm_provider=home.server.name,
        )
    if home.is_gateway:
        ordered = _merged(home.server, files)
    else:
        ordered = _sorted(home.server, files, batch.input_file_id)
    async with aclosing(ordered) as lines:
        async for line in lines:
            yield _told(line)


def number_of(outcome: Body) -> int:
    """The number of a gateway's line in its input, from 1."""
    return int(str(outcome["id"])[-_NUMBER_DIGITS:], 16)


async def _merged(server: Server, files: Sequence[str]) -> AsyncGenerator[Body]:
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


async def _sorted(server: Server, files: Sequence[str], input_id: str) -> AsyncGenerator[Body]:
    places = await _places(server, input_id)
    with tempfile.TemporaryFile() as spool:
        begins: list[tuple[int, int]] = []
        for name in files:
            async with aclosing(_raw_lines(server, name)) as lines:
                async for line in lines:
                    place = places.get(_custom_id(line), len(places))
                    begins.append((place, spool.tell()))
                    spool.write(line + b"\n")
        for _, begin in sorted(begins):
            spool.seek(begin)
            yield _object(spool.readline())


async def _places(server: Server, input_id: str) -> dict[Any, int]:
    """The order of the requests; none where their file is gone."""
    places: dict[Any, int] = {}
    try:
        async with aclosing(_raw_lines(server, input_id)) as lines:
            async for line in lines:
                places[_custom_id(line)] = len(places)
    except NotFoundError:
        return {}
    return places


async def _lines(server: Server, file_id: str) -> AsyncGenerator[Body]:
    async with aclosing(_raw_lines(server, file_id)) as lines:
        async for line in lines:
            yield _object(line)


async def _raw_lines(server: Server, file_id: str) -> AsyncGenerator[bytes]:
    """The lines that are not empty, without their ends."""
    rest: list[bytes] = []
    async with aclosing(await server.content(f"/files/{file_id}/content")) as pieces:
        async for piece in pieces:
            first, *others = piece.split(b"\n")
            rest.append(first)
            for other in others:
                if line := b"".join(rest).strip():
                    yield line
                rest = [other]
    if line := b"".join(rest).strip():
        yield line


def _object(line: bytes) -> Body:
    entry = read_json(line)
    return entry if isinstance(entry, dict) else {}


def _custom_id(line: bytes) -> Any:
    return _object(line).get("custom_id")


def _told(line: Body) -> Body:
    """Of a request that was refused, the reason is in the answer; it is the `error` here."""
    response = line.get("response") or {}
    if line.get("error") is None and response.get("status_code", 0) >= _REFUSED:
        body = response.get("body")
        said = body.get("error") if isinstance(body, dict) else None
        return {**line, "error": said or {"message": str(body)}}
    if line.get("error") is None:
        return {name: value for name, value in line.items() if name != "error"}
    return line
