"""What all calls of a process share: the loop, the engine, and one session to servers."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import aiohttp

from nightmail.engine.client import trusted
from nightmail.engine.engine import Engine
from nightmail.library.credentials import KeyRing
from nightmail.library.loop import BackgroundLoop

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Process:
    """Everything on it is used on its loop."""

    session: aiohttp.ClientSession

    def __init__(self) -> None:
        self.loop = BackgroundLoop()
        self.keys = KeyRing()
        self.engine = Engine(self.keys.direct_of)
        self.loop.run(self._open())

    def close(self) -> None:
        self.loop.run(self._close())
        self.loop.stop()

    async def _open(self) -> None:
        await self.engine.__aenter__()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": "nightmail"},
        )

    async def _close(self) -> None:
        await self.session.close()
        await self.engine.__aexit__()


_lock = threading.Lock()
_current: Process | None = None


def process() -> Process:
    """Made with the first call."""
    global _current  # noqa: PLW0603 - one for each process is the point
    with _lock:
        if _current is None:
            _current = Process()
            atexit.register(_current.close)
        return _current


def _forget() -> None:
    """A fork has no thread of the parent's, and makes its own.

    What the parent has open is shared with it: were it closed here, the parent's event loop would lose
    its connections. So it gets a reference that nobody ever takes away.
    """
    global _current, _lock  # noqa: PLW0603 - see above
    _lock = threading.Lock()
    if _current:
        atexit.unregister(_current.close)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_current))
    _current = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def blocking(
    work: Callable[Parameters, Coroutine[Any, Any, Answer]],
) -> Callable[Parameters, Answer]:
    """`work` as a function that waits for it."""

    @wraps(work)
    def run(*args: Parameters.args, **options: Parameters.kwargs) -> Answer:
        return process().loop.run(work(*args, **options))

    run.__name__ = run.__qualname__ = work.__name__.lstrip("_")
    return run


def awaited(
    work: Callable[Parameters, Coroutine[Any, Any, Answer]],
) -> Callable[Parameters, Coroutine[Any, Any, Answer]]:
    """`work` for any other event loop."""

    @wraps(work)
    async def run(*args: Parameters.args, **options: Parameters.kwargs) -> Answer:
        return await process().loop.wait(work(*args, **options))

    run.__name__ = run.__qualname__ = f"a{work.__name__.lstrip('_')}"
    return run
