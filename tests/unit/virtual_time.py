"""Asynchronous tests in a time of their own: where nothing happens, it jumps to the next timer."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")
_GRACE_SECONDS = 0.02  # of real time, in which bytes on their way between our own sockets arrive


class _Selector(selectors.DefaultSelector):
    """Waits for sockets in real time, and for timers not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not timeout:
            return super().select(timeout)
        alone = len(self.get_map()) == 1  # with the loop's own pipe
        events = super().select(0 if alone else min(timeout, _GRACE_SECONDS))
        if not events:
            self.now += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything moves."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self.troubles: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, trouble: self.troubles.append(trouble))

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(  # type: ignore[override]
        self, _executor: object, function: Callable[..., Any], *given: Any
    ) -> asyncio.Future[Any]:
        """What a thread would do is done at once."""
        done = self.create_future()
        try:
            done.set_result(function(*given))
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            done.set_exception(error)
        return done


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an asynchronous test, which must leave no task and no exception behind."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualTimeLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_tidy(test(*args, **kwargs)))
        assert loop.troubles == []

    return run


async def _tidy(test: Awaitable[None]) -> None:
    await test
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def settled() -> None:
    """Returns when everything that can happen now has happened."""
    await asyncio.sleep(1e-6)
