"""Many at a time, and all of their results in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

from nightmail.engine.fan_out import fan_out

Item = TypeVar("Item")
Result = TypeVar("Result")


async def gathered(
    items: Iterable[Item], act: Callable[[Item], Awaitable[Result]], concurrency: int
) -> list[Result]:
    """What `act` makes of each. Raises the first error, when the others have been cancelled."""
    async with aclosing(fan_out(items, act, concurrency)) as finished:
        found = {number: result async for number, result in finished}
    return [found[number] for number in range(len(found))]
