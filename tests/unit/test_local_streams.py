"""The local cloud's ear for what a function writes piece by piece."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from local.mends.response_stream import BrokenStream, LiveStream, read_chunks

HEAD = {"statusCode": 200, "headers": {"content-type": "text/event-stream"}}
BEGIN = json.dumps(HEAD).encode() + bytes(8)
FOREVER = float("inf")


def test_chunks_are_read_until_the_last_and_trailers_stay() -> None:
    source = io.BytesIO(b"3\r\none\r\n4;a=b\r\n\r\n\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n")

    assert list(read_chunks(source)) == [b"one", b"\r\n\r\n"]
    assert source.read() == b"X-Trailer: 1\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"3\r\non", b"3\r\none\r\n", b"three\r\n"])
def test_chunks_that_end_before_the_last_are_told(sent: bytes) -> None:
    with pytest.raises(BrokenStream):
        list(read_chunks(io.BytesIO(sent)))


async def written(*pieces: bytes) -> LiveStream:
    """A stream of which so much is written, by another thread."""
    stream = LiveStream(FOREVER)
    for piece in pieces:
        await asyncio.to_thread(stream.write, piece)
    return stream


@pytest.mark.parametrize("place", [1, len(BEGIN) - 3, len(BEGIN), len(BEGIN) + 1])
def test_the_head_is_known_as_soon_as_it_is_written(place: int) -> None:
    async def hear() -> tuple[dict[str, Any], bytes]:
        whole = BEGIN + b"one"
        stream = await written(whole[:place], whole[place:])
        head = await stream.head
        stream.end(is_whole=True)
        return head, b"".join([piece async for piece in stream])

    assert asyncio.run(hear()) == (HEAD, b"one")


def test_a_body_comes_in_the_pieces_that_were_written() -> None:
    async def hear() -> list[bytes]:
        pieces = aiter(await written(BEGIN, b"one", b"two"))
        return [await anext(pieces), await anext(pieces)]

    assert asyncio.run(hear()) == [b"one", b"two"]


@pytest.mark.parametrize("start", [b"data: x\n\n", b"[]" + bytes(8), b"{" + bytes(8)])
def test_what_is_no_such_stream_has_no_head(start: bytes) -> None:
    async def hear() -> bool:
        return (await written(start)).head.done()

    assert not asyncio.run(hear())


def test_a_stream_that_failed_breaks_behind_its_last_piece() -> None:
    async def hear() -> bytes:
        stream = await written(BEGIN + b"one")
        stream.end(is_whole=False)
        pieces = aiter(stream)
        first = await anext(pieces)
        with pytest.raises(BrokenStream):
            await anext(pieces)
        return first

    assert asyncio.run(hear()) == b"one"


def test_a_stream_breaks_at_its_deadline() -> None:
    async def hear() -> None:
        await anext(aiter(LiveStream(asyncio.get_running_loop().time())))

    with pytest.raises(BrokenStream):
        asyncio.run(hear())
