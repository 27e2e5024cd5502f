"""Batches until their end."""

from __future__ import annotations

import asyncio

from nightmail.library.batch_api import BatchApi
from nightmail.library.objects import Batch
from nightmail.library.options import OnProgress

FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
_SHARE = 8  # of the time waited so far


class Patience:
    """Waits that grow: each is an eighth of the time since the beginning."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._began = self._now()

    async def wait(self) -> None:
        seconds = max(_FIRST_WAIT_SECONDS, (self._now() - self._began) / _SHARE)
        await asyncio.sleep(min(seconds, _LONGEST_WAIT_SECONDS))


async def until_final(api: BatchApi, batch: Batch, on_progress: OnProgress | None = None) -> Batch:
    """The batch in its final status.

    `on_progress` is called with it at every look, in a thread of its own: it may call anything.
    """
    patience = Patience()
    while True:
        if on_progress:
            await asyncio.to_thread(on_progress, batch)
        if batch.status in FINAL:
            return batch
        await patience.wait()
        batch = await api.retrieve(batch.id, patiently=True)
