"""Answers as they go out through API Gateway's response streaming, and the way there.

A handler is synchronous and what calls models is not: `stepped` lets a handler return while calls go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any, TypeVar

from nightmail.runtime.streamed import StreamedAnswer

Piece = TypeVar("Piece")


def as_stream(answer: dict[str, Any]) -> StreamedAnswer:
    """A proxy integration's answer whose body is text, or the pieces of a stream."""
    body: str | Generator[bytes] | None = answer["body"]
    pieces = body if isinstance(body, Generator) else _whole(body or "")
    return StreamedAnswer(answer["statusCode"], answer["multiValueHeaders"], pieces)


def stepped(pieces: AsyncGenerator[Piece]) -> Generator[Piece]:
    """What an asynchronous generator brings, on an event loop that runs while a piece is waited for.

    Nothing is read ahead of the caller. Closing it, once it has begun, closes `pieces`.
    """
    with asyncio.Runner() as loop:
        try:
            while True:
                try:
                    piece = loop.run(_next(pieces))
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            loop.run(pieces.aclose())


async def _next(pieces: AsyncGenerator[Piece]) -> Piece:
    return await anext(pieces)


def _whole(text: str) -> Generator[bytes]:
    yield text.encode()
