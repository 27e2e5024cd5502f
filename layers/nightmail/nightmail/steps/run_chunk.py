"""State RunChunk: call a chunk's lines, many at a time, and save what comes.

A line whose outcome is saved is never called again. A worker that dies costs the calls in flight: those
under way, and as many answers that were not saved yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightmail.batch import Batch, BatchError
from nightmail.chunk import Chunk, ChunkState
from nightmail.deployment import Deployment
from nightmail.errors import GatewayError, LeaseLost, NotFound
from nightmail.part import Ending, Track, refused_by, why_to_stop
from nightmail.payloads import BatchTask, ChunkTask, Next, StepResult
from nightmail.providers.direct import DirectOf
from nightmail.steps.chunk_calls import ChunkCalls, Refused
from nightmail.steps.held_chunk import LEASE_SECONDS, HeldChunk
from nightmail.steps.input_lines import OwedLine, owed_lines
from nightmail.steps.leased_pace import LeasedPace
from nightmail.steps.line_set import LineSet
from nightmail.steps.stand_ins import StandIns
from nightmail.steps.waits import TimeIsUp, try_again
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

SAVE_SECONDS = 2.0
# Of the input, what is in memory at a time.
_MOST_LINES = 10_000
_MOST_BYTES = 16 * 1024 * 1024
_HELD = StepResult(next=Next.RUN, wait_seconds=10)
_DONE = StepResult(next=Next.DONE)


@dataclass(frozen=True)
class Worker:
    """What calling needs of the world: `clock` answers Unix seconds, with their fractions."""

    stores: Stores
    quotas: QuotaStore
    direct_of: DirectOf
    clock: Callable[[], float]
    concurrency: int
    pricer: Pricer


@dataclass(frozen=True)
class WorkTime:
    """No call begins when `is_up`; those in flight are cut off so many seconds after the start."""

    is_up: TimeIsUp
    seconds: float


def run_chunk(task: ChunkTask, worker: Worker, time: WorkTime) -> StepResult:
    """Where to go next: MORE, RUN again after a wait, or DONE."""
    return run_part(task, "chunk", task.chunk, worker, time)


def run_part(
    task: BatchTask, track: Track, number: int, worker: Worker, time: WorkTime
) -> StepResult:
    """The same for the chunk that a track has come to; DONE where it has come to none."""
    stores, now = worker.stores, int(worker.clock())
    try:
        batch = stores.batches.get(task.owner, task.batch_id)
        part = stores.parts.take_lease(task.batch_id, track, number, now, LEASE_SECONDS)
    except NotFound:
        return _DONE
    except LeaseLost:  # another worker is alive
        return _HELD
    if part.is_over or not isinstance(part, Chunk):
        return _DONE
    try:
        return asyncio.run(_run(batch, part, worker, time))
    except LeaseLost:
        return _HELD


async def _run(batch: Batch, chunk: Chunk, worker: Worker, time: WorkTime) -> StepResult:
    held = HeldChunk(chunk, worker.stores, lambda: int(worker.clock()))
    try:
        return await _Run(batch, held, worker, time).run()
    except LeaseLost:
        raise
    except Exception:
        await held.give_back()
        raise


class _Run:
    """One invocation of the worker that holds the lease."""

    def __init__(self, batch: Batch, held: HeldChunk, worker: Worker, time: WorkTime) -> None:
        self._batch = batch
        self._held = held
        self._worker = worker
        self._stores = worker.stores
        self._time = time
        self._ending: Ending | None = None
        self._errors: list[BatchError] = []
        self._is_short = False  # time was up before every line had been tried
        self._begun_at = self._looked_at = _loop_time()

    async def run(self) -> StepResult:
        await self._held.open()
        if self._held.is_complete:
            return await self._end()
        self._ending = why_to_stop(self._batch, self._now())
        if self._ending:
            return await self._end()
        return await self._work()

    async def _work(self) -> StepResult:
        worker, chunk = self._worker, self._held.chunk
        concurrency = min(worker.concurrency, chunk.lines - len(self._held.done))

        def pace_of(deployment: Deployment) -> LeasedPace:
            return LeasedPace(deployment, worker.quotas, worker.clock, concurrency)

        async with StandIns(chunk, worker.direct_of, pace_of) as asked:
            calls = ChunkCalls(chunk, asked, worker.pricer, concurrency)
            try:
                await self._call_all(calls)
            except (Refused, NotFound) as refused:
                self._ending, self._errors = Ending.FAILED, [refused_by(_error_of(refused))]
            finally:
                await self._held.keep(calls)
        return await self._end(calls)

    async def _call_all(self, calls: ChunkCalls) -> None:
        """Raises Refused, and NotFound where the input file is gone."""
        while not (self._held.is_complete or self._ending or self._is_short):
            lines = await asyncio.to_thread(self._owed_lines, calls.left)
            if not lines:
                return
            await self._supervise(calls, lines)
            await self._held.keep(calls)  # or what came last would be owed still

    def _owed_lines(self, left: LineSet) -> list[OwedLine]:
        """The next lines that have not been tried."""
        file = self._stores.files.get(self._batch.owner, self._batch.input_file_id, self._now())
        tried = self._held.done | left
        return owed_lines(
            self._held.chunk,
            file,
            self._stores.objects,
            tried,
            most_lines=_MOST_LINES,
            most_bytes=_MOST_BYTES,
        )

    async def _supervise(self, calls: ChunkCalls, lines: list[OwedLine]) -> None:
        """Save what comes, until all lines have been tried or it is time to stop."""
        cut_off_at = self._begun_at + self._time.seconds
        calling = asyncio.create_task(calls.run(self._while_there_is_time(lines)))
        calling.add_done_callback(lambda _: calls.wake.set())
        try:
            while not calling.done() and not self._ending and _loop_time() < cut_off_at:
                with suppress(TimeoutError):
                    await asyncio.wait_for(calls.wake.wait(), SAVE_SECONDS)
                calls.wake.clear()
                await self._held.save(calls)
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
                self._is_short = True
                return

    async def _look(self) -> None:
        """Whether the batch wants no more."""
        if _loop_time() - self._looked_at < SAVE_SECONDS:
            return
        self._looked_at = _loop_time()
        batch = await asyncio.to_thread(
            self._stores.batches.find, self._batch.owner, self._batch.id
        )
        self._ending = why_to_stop(batch, self._now()) if batch else Ending.CANCELLED

    async def _end(self, calls: ChunkCalls | None = None) -> StepResult:
        if self._held.is_complete or self._ending:
            return await self._close()
        tried = len(self._held.done) + len(calls.left) if calls else 0
        if self._is_short and tried < self._held.chunk.lines:
            await self._held.release()
            return StepResult(next=Next.MORE)
        if calls is None or calls.reason is None:  # the file has not all lines that were planned
            self._ending = Ending.LOST
            return await self._close()
        rounds = self._held.chunk.rounds
        await self._held.release(rounds=rounds + 1, last_refusal=calls.reason.message)
        logger.warning("lines left", extra={"rounds": rounds, "reason": calls.reason.message})
        return try_again(Next.RUN, rounds, calls.reason.retry_after_seconds)

    async def _close(self) -> StepResult:
        if not await self._held.sort(self._time.is_up):
            await self._held.release()
            return StepResult(next=Next.MORE)
        if self._held.is_complete:
            await self._held.release(
                state=ChunkState.DONE, ending=Ending.COMPLETED, last_refusal=None
            )
        else:
            await self._held.stop(self._ending or Ending.LOST, self._errors)
        return _DONE

    def _now(self) -> int:
        return int(self._worker.clock())


def _error_of(refused: Refused | NotFound) -> GatewayError:
    return refused.error if isinstance(refused, Refused) else refused


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
