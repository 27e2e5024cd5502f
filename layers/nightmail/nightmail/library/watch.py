"""Batches until their end."""

from __future__ import annotations

import asyncio

from nightmail.library.objects import Batch
from nightmail.library.options import OnProgress
from nightmail.library.server import Server

FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
_SHARE = 8  # of the time waited so far


async def until_final(server: Server, batch: Batch, on_progress: OnProgress | None = None) -> Batch:
    """The batch in its final status. It is asked for after an eighth of the time waited so far.

    `on_progress` is called with it at every look, in a thread of its own: it may call anything.
    """
    now = asyncio.get_running_loop().time
    began = now()
    while True:
        if on_progress:
            await asyncio.to_thread(on_progress, batch)
        if batch.status in FINAL:
            return batch
        seconds = max(_FIRST_WAIT_SECONDS, (now() - began) / _SHARE)
        await asyncio.sleep(min(seconds, _LONGEST_WAIT_SECONDS))
        batch = Batch(await server.get(f"/batches/{batch.id}", patiently=True))
