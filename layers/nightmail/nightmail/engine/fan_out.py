"""Many items at a time, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def fan_out(
    items: Iterable[Item], act: Callable[[Item], Awaitable[Result]], concurrency: int
) -> AsyncGenerator[tuple[int, Result]]:
    """What `act` makes of each item, as they finish, with the item's place from 0.

    `items` is read only as far as `concurrency` allows, and no faster than the results are taken.
    Raises what `items` or `act` raise. Closing it cancels what is under way and waits for that.
    """
    numbered = enumerate(items)
    finished: asyncio.Queue[tuple[int, Result] | Exception | None] = asyncio.Queue(concurrency)
    workers: list[asyncio.Task[None]] = []
    try:
        workers.extend(
            asyncio.create_task(_work(chain((first,), numbered), act, finished))
            for first in islice(numbered, concurrency)
        )
        working = len(workers)
        while working:
            result = await finished.get()
            if isinstance(result, Exception):
                raise result
            if result is None:
                working -= 1
            else:
                yield result
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _work(
    numbered: Iterator[tuple[int, Item]],
    act: Callable[[Item], Awaitable[Result]],
    finished: asyncio.Queue[tuple[int, Result] | Exception | None],
) -> None:
    try:
        for number, item in numbered:
            await finished.put((number, await act(item)))
    except Exception as error:  # noqa: BLE001 - raised where the results are taken
        await finished.put(error)
    else:
        await finished.put(None)
