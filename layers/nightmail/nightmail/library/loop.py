"""One event loop in a thread of its own, on which everything runs.

So the sync functions work where a loop is running already (notebooks) and from any thread, and
connections stay open from one call to the next, whichever loop the async ones are awaited in.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class BackgroundLoop:
    """Its thread never keeps a program alive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nightmail", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for `work`; an interrupt (Ctrl-C) cancels it, and with it the providers' calls."""
        self._check(work)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The same for a coroutine of another loop; cancelling it cancels `work`."""
        self._check(work)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _check(self, work: Coroutine[Any, Any, Answer]) -> None:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("This is nightmail's own thread, which cannot wait for itself.")


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
