"""Many streams, one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import TypeVar

Piece = TypeVar("Piece")


async def interleaved(
    streams: Iterable[AsyncGenerator[Piece]], concurrency: int
) -> AsyncGenerator[Piece]:
    """What all of the streams bring, as it comes, so many of them at a time.

    Raises what a stream raises. Closing this closes those that are under way.
    """
    waiting = iter(streams)
    arrived: asyncio.Queue[Piece | asyncio.Task[None]] = asyncio.Queue()

    async def listen() -> None:
        for stream in waiting:
            async with aclosing(stream):
                async for piece in stream:
                    arrived.put_nowait(piece)

    listeners = [asyncio.create_task(listen()) for _ in range(concurrency)]
    for listener in listeners:
        listener.add_done_callback(arrived.put_nowait)
    listening = len(listeners)
    try:
        while listening:
            piece = await arrived.get()
            if isinstance(piece, asyncio.Task):
                listening -= 1
                piece.result()
            else:
                yield piece
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
