"""A chunk that a worker holds: its outcomes go to the bucket, then its figures and its lease to the table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from nightmail.batch import BatchError
from nightmail.chunk import Chunk
from nightmail.errors import LeaseLost, StorageError
from nightmail.part import Ending
from nightmail.steps.chunk_calls import ChunkCalls
from nightmail.steps.chunk_runs import ChunkRuns
from nightmail.steps.line_set import LineSet
from nightmail.steps.waits import TimeIsUp
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

LEASE_SECONDS = 30
_RENEW_SECONDS = 10  # after which the lease is renewed although there is nothing to save
_SURE_SECONDS = 25  # after which a lease that could not be renewed counts as lost


class HeldChunk:
    """`open` it first. Every method but `give_back` may raise LeaseLost, and the store's errors."""

    def __init__(self, chunk: Chunk, stores: Stores, now: Callable[[], int]) -> None:
        self.chunk = chunk
        self._stores = stores
        self._now = now
        self._renewed_at = _loop_time()

    async def open(self) -> None:
        """Read what came of it so far."""
        self._runs = await asyncio.to_thread(ChunkRuns, self.chunk, self._stores.objects)

    @property
    def done(self) -> LineSet:
        """The lines that have an outcome."""
        return self._runs.numbers

    @property
    def is_complete(self) -> bool:
        return len(self.done) >= self.chunk.lines

    async def keep(self, calls: ChunkCalls) -> None:
        """Bring to the bucket what has finished. What lies there is safe."""
        finished = calls.take()
        if finished:
            await asyncio.to_thread(self._runs.add, finished)
        calls.saved()

    async def save(self, calls: ChunkCalls) -> None:
        """Keep what has finished; figures and lease follow."""
        known = len(self.done)
        async with self._while_it_is_sure():
            await self.keep(calls)
            if len(self.done) > known or self._is_late():
                await self._renew()

    async def sort(self, time_is_up: TimeIsUp) -> bool:
        """Whether all outcomes are sorted by now."""
        while not self._runs.is_sorted:
            async with self._while_it_is_sure():
                await asyncio.to_thread(self._runs.sort)
                if self._is_late():
                    await self._renew()
            if time_is_up():
                return self._runs.is_sorted
        return True

    async def release(self, **changes: Any) -> None:
        """Give it back, with its figures and `changes`."""
        await self._write_back(self._runs.book(self.chunk).changed(**changes))

    async def stop(self, ending: Ending, errors: Sequence[BatchError]) -> None:
        """Nobody goes on with it."""
        said = [error.message for error in errors]
        logger.warning("chunk stopped", extra={"ending": ending, "errors": said})
        await self._write_back(self._runs.book(self.chunk).stopped(ending, errors))

    async def give_back(self) -> None:
        """After a break-off the next attempt need not wait until the lease runs out."""
        with suppress(StorageError):
            await asyncio.to_thread(self._stores.parts.release, self.chunk)

    def _is_late(self) -> bool:
        return _loop_time() - self._renewed_at >= _RENEW_SECONDS

    async def _renew(self) -> None:
        await asyncio.to_thread(self._runs.join)
        held = self._runs.book(self.chunk).changed(lease_until=self._now() + LEASE_SECONDS)
        self.chunk = await asyncio.to_thread(self._stores.parts.save, held)
        self._renewed_at = _loop_time()
        await asyncio.to_thread(self._runs.clear)

    async def _write_back(self, chunk: Chunk) -> None:
        self.chunk = await asyncio.to_thread(self._stores.parts.release, chunk)
        await asyncio.to_thread(self._runs.clear)

    @asynccontextmanager
    async def _while_it_is_sure(self) -> AsyncIterator[None]:
        """Raises LeaseLost where what it encloses takes until the lease may be another's."""
        try:
            async with asyncio.timeout_at(self._renewed_at + _SURE_SECONDS):
                yield
        except TimeoutError as error:
            raise LeaseLost("The stores did not answer until the lease ran out.") from error


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
