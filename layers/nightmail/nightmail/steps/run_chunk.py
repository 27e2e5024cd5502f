"""State RunChunk: call a chunk's lines, many at a time, and save what comes.

A line whose outcome is saved is never called again. A worker that dies costs the calls in flight: those
under way, and as many answers that were not saved yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nightmail.batch import Batch, BatchError
from nightmail.chunk import Chunk, ChunkState
from nightmail.engine.engine import Engine
from nightmail.errors import LeaseLost, NotFound, ProviderError, StorageError
from nightmail.part import Ending, refused_by, why_to_stop
from nightmail.payloads import ChunkTask, Next, StepResult
from nightmail.providers.direct import DirectOf
from nightmail.steps.chunk_calls import ChunkCalls, Refused
from nightmail.steps.chunk_lines import OwedLine, owed_lines
from nightmail.steps.chunk_runs import ChunkRuns
from nightmail.steps.leased_pace import LeasedPace
from nightmail.steps.waits import TimeIsUp, try_again
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

SAVE_SECONDS = 2.0
_LEASE_SECONDS = 30
_RENEW_SECONDS = 10  # after which the lease is renewed although there is nothing to save
_SURE_SECONDS = 25  # after which a lease that could not be renewed counts as lost
_HELD = StepResult(next=Next.RUN, wait_seconds=10)


@dataclass(frozen=True)
class Worker:
    """What calling needs of the world: `clock` answers Unix seconds, with their fractions."""

    stores: Stores
    quotas: QuotaStore
    direct_of: DirectOf
    clock: Callable[[], float]
    concurrency: int


@dataclass(frozen=True)
class WorkTime:
    """No call begins when `is_up`; those in flight are cut off so many seconds after the start."""

    is_up: TimeIsUp
    seconds: float


def run_chunk(task: ChunkTask, worker: Worker, time: WorkTime) -> StepResult:
    """Where to go next: MORE, RUN again after a wait, or DONE."""
    stores = worker.stores
    try:
        batch = stores.batches.get(task.owner, task.batch_id)
        now = int(worker.clock())
        chunk = stores.parts.chunks.take_lease(task.batch_id, task.chunk, now, _LEASE_SECONDS)
    except NotFound:
        return StepResult(next=Next.DONE)
    except LeaseLost:  # another worker is alive
        return _HELD
    try:
        return asyncio.run(_run(batch, chunk, worker, time))
    except LeaseLost:
        return _HELD


async def _run(batch: Batch, chunk: Chunk, worker: Worker, time: WorkTime) -> StepResult:
    running = _Run(batch, chunk, worker, time)
    try:
        return await running.run()
    except LeaseLost:
        raise
    except Exception:
        await running.give_back()
        raise


class _Run:
    """One invocation of the worker that holds the lease."""

    def __init__(self, batch: Batch, chunk: Chunk, worker: Worker, time: WorkTime) -> None:
        self._batch = batch
        self._chunk = chunk
        self._worker = worker
        self._stores = worker.stores
        self._time = time
        self._ending: Ending | None = None
        self._is_short = False  # time was up before every line had been tried
        self._begun_at = self._renewed_at = self._looked_at = _loop_time()

    async def run(self) -> StepResult:
        if self._chunk.is_over:
            await asyncio.to_thread(self._stores.parts.chunks.release, self._chunk)
            return StepResult(next=Next.DONE)
        self._runs = await asyncio.to_thread(ChunkRuns, self._chunk, self._stores.objects)
        self._ending = why_to_stop(self._batch, self._now())
        try:
            lines = [] if self._ending else await asyncio.to_thread(self._owed_lines)
        except NotFound as error:
            return await self._stop(Ending.FAILED, [refused_by(error)])
        return await self._call(lines) if lines else await self._end()

    async def give_back(self) -> None:
        """After a break-off the next attempt need not wait until the lease runs out."""
        with suppress(StorageError):
            await asyncio.to_thread(self._stores.parts.chunks.release, self._chunk)

    def _owed_lines(self) -> list[OwedLine]:
        file_id, owner = self._batch.input_file_id, self._batch.owner
        file = self._stores.files.get(owner, file_id, self._now())
        return owed_lines(self._chunk, file, self._stores.objects, self._runs.numbers)

    async def _call(self, lines: list[OwedLine]) -> StepResult:
        worker, deployment = self._worker, self._chunk.deployment
        concurrency = min(worker.concurrency, len(lines))
        pace = LeasedPace(deployment, worker.quotas, worker.clock, concurrency)
        refusals: list[BatchError] = []
        async with pace, Engine(worker.direct_of, pace_of=lambda _: pace) as engine:
            calls = ChunkCalls(self._chunk, engine, concurrency)
            try:
                await self._supervise(calls, lines)
            except Refused as refused:
                refusals = [refused_by(refused.error)]
            finally:
                await self._keep(calls)
        if refusals:
            return await self._stop(Ending.FAILED, refusals)
        return await self._end(calls.leftover)

    async def _supervise(self, calls: ChunkCalls, lines: list[OwedLine]) -> None:
        """Save what comes, until all lines have been tried or it is time to stop. Raises Refused."""
        cut_off_at = self._begun_at + self._time.seconds
        calling = asyncio.create_task(calls.run(self._while_there_is_time(lines)))
        calling.add_done_callback(lambda _: calls.wake.set())
        try:
            while not calling.done() and not self._ending and _loop_time() < cut_off_at:
                with suppress(TimeoutError):
                    await asyncio.wait_for(calls.wake.wait(), SAVE_SECONDS)
                calls.wake.clear()
                await self._save(calls)
                await self._look()
            self._is_short = self._is_short or not calling.done()
        finally:
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling

    def _while_there_is_time(self, lines: list[OwedLine]) -> Iterator[OwedLine]:
        for line in lines:
            yield line
            if self._time.is_up():
                self._is_short = line is not lines[-1]
                return

    async def _keep(self, calls: ChunkCalls) -> None:
        """Bring to the bucket what has finished. What lies there is safe."""
        finished = calls.take()
        if finished:
            await asyncio.to_thread(self._runs.add, finished)
        calls.saved()

    async def _save(self, calls: ChunkCalls) -> None:
        try:
            async with asyncio.timeout_at(self._renewed_at + _SURE_SECONDS):
                await self._keep_and_book(calls)
        except TimeoutError as error:
            raise LeaseLost("The table did not answer until the lease ran out.") from error

    async def _keep_and_book(self, calls: ChunkCalls) -> None:
        """The figures follow what is kept; so does the lease."""
        known = len(self._runs.numbers)
        await self._keep(calls)
        is_late = _loop_time() - self._renewed_at >= _RENEW_SECONDS
        if len(self._runs.numbers) == known and not is_late:
            return
        merged = await asyncio.to_thread(self._runs.merge)
        booked = self._runs.book(self._chunk)
        held = booked.changed(lease_until=self._now() + _LEASE_SECONDS)
        self._chunk = await asyncio.to_thread(self._stores.parts.chunks.save, held)
        self._renewed_at = _loop_time()
        await asyncio.to_thread(self._stores.objects.delete, merged)

    async def _look(self) -> None:
        """Whether the batch wants no more."""
        if _loop_time() - self._looked_at < SAVE_SECONDS:
            return
        self._looked_at = _loop_time()
        batch = await asyncio.to_thread(
            self._stores.batches.find, self._batch.owner, self._batch.id
        )
        self._ending = why_to_stop(batch, self._now()) if batch else Ending.CANCELLED

    async def _end(self, leftover: ProviderError | None = None) -> StepResult:
        if len(self._runs.numbers) >= self._chunk.lines:
            await self._release(state=ChunkState.DONE, ending=Ending.COMPLETED, last_refusal=None)
            return StepResult(next=Next.DONE)
        if self._ending:
            return await self._stop(self._ending, [])
        if self._is_short:
            await self._release()
            return StepResult(next=Next.MORE)
        if leftover is None:  # the file has not all the lines that were planned
            return await self._stop(Ending.LOST, [])
        rounds = self._chunk.rounds
        await self._release(rounds=rounds + 1, last_refusal=leftover.message)
        logger.warning("lines left over", extra={"rounds": rounds, "reason": leftover.message})
        return try_again(Next.RUN, rounds, leftover.retry_after_seconds)

    async def _stop(self, ending: Ending, errors: list[BatchError]) -> StepResult:
        said = [error.message for error in errors]
        logger.warning("chunk stopped", extra={"ending": ending, "errors": said})
        stopped = self._runs.book(self._chunk).stopped(ending, errors)
        await asyncio.to_thread(self._stores.parts.chunks.release, stopped)
        return StepResult(next=Next.DONE)

    async def _release(self, **changes: Any) -> None:
        booked = self._runs.book(self._chunk).changed(**changes)
        await asyncio.to_thread(self._stores.parts.chunks.release, booked)

    def _now(self) -> int:
        return int(self._worker.clock())


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
