"""Streams that can be read with `for` and with `async for`, from any thread and in any loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Generic, Self, TypeVar

from nightmail.library.loop import BackgroundLoop

__all__ = [
    "Stream",
]

Piece = TypeVar("Piece")


class Stream(Generic[Piece]):
    """What comes from a server, as it comes.

    Closing it before its end (`close`, `aclose`, leaving `with` or `async with`, or letting go of it) closes
    the server's connection at once.
    """

    def __init__(self, loop: BackgroundLoop, source: AsyncGenerator[Piece]) -> None:
        self._loop = loop
        self._source = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        piece = self._loop.run(self._next())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self._loop.run(self._close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        piece = await self._loop.wait(self._next())
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        await self._loop.wait(self._close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _next(self) -> Piece | None:
        return await anext(self._source, None)

    async def _close(self) -> None:
        await self._source.aclose()
