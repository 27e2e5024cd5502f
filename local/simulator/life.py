"""The life of one batch of any provider, from its creation to its final status."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

from local.simulator.batch_faults import ExpiredBatch, StuckBatch
from local.simulator.batches import Batch, Ending
from local.simulator.holds import Holds, first_of
from local.simulator.validation import InvalidInput, LineError, batch_error

# The counts of a small batch grow in so many steps; a large batch lets others have a turn.
_STEPS = 20
_LINES_AT_ONCE = 50
# How a batch divides its time.
_VALIDATING, _IN_PROGRESS, _FINALIZING = 0.1, 0.8, 0.1


class Work(Protocol):
    """What a batch does with its lines, which are known by their places, from 0."""

    async def prepare(self) -> int:
        """How many lines there are. Raises InvalidInput, and the batch fails."""

    def execute(self, place: int) -> None: ...

    def skip(self, place: int, ending: Ending) -> None:
        """The line will never be run, as the batch ends before."""

    def publish(self) -> None:
        """Let the results be read."""

    def discard(self) -> None:
        """Remove what was not published."""


def shuffled(total: int) -> list[int]:
    """The order in which lines are executed: the same every time, and never the input's."""
    order = list(range(total))
    random.Random(total).shuffle(order)
    return order if order != list(range(total)) else order[::-1]


@dataclass(frozen=True, slots=True)
class Life:
    """A batch with its work; `seconds` is how long it takes without faults."""

    batch: Batch
    work: Work
    holds: Holds
    seconds: float

    async def run(self) -> None:
        """Returns when the batch has its final status."""
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(self.batch.window_seconds, self.batch.expired.set)
        try:
            await self._run()
        except Exception:
            self._fail([batch_error("server_error", "The simulator failed; its own log says why.")])
            raise
        finally:
            deadline.cancel()
            self.work.discard()

    async def _run(self) -> None:
        await self._rest(_VALIDATING)
        await self._stick("validating")
        try:
            self.batch.counts.total = await self.work.prepare()
        except InvalidInput as invalid:
            self._fail(invalid.errors)
            return
        await self._run_lines(shuffled(self.batch.counts.total))
        await self._finish()

    async def _run_lines(self, order: list[int]) -> None:
        """Execute lines until all are done or the batch is to end; then tell what was not run."""
        if not self.batch.ending:
            self.batch.move("in_progress")
        done = 0
        while not await self._is_over(done, len(order)):
            self.work.execute(order[done])
            done += 1
        for count, place in enumerate(order[done:], start=1):
            assert self.batch.ending
            self.work.skip(place, self.batch.ending)
            if count % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _is_over(self, done: int, total: int) -> bool:
        """Called before each line, and after the last one: here time passes and faults strike."""
        step = max(1, min(_LINES_AT_ONCE, total // _STEPS))
        if done % step == 0:
            await self._rest(_IN_PROGRESS * min(step, total - done) / total)
        expiring = self.batch.faults.get(ExpiredBatch)
        if expiring and done == min(expiring.after_lines, total):
            self.batch.expired.set()
        stuck = self.batch.faults.get(StuckBatch)
        if stuck and done == min(stuck.after_lines, total):
            await self._stick("in_progress")
        return done == total or self.batch.ending is not None

    async def _finish(self) -> None:
        if self.batch.ending is None:
            self.batch.move("finalizing")
            await self._rest(_FINALIZING)
            await self._stick("finalizing")
        if self.batch.cancelled.is_set():
            await self._stick("cancelling")
        self.work.publish()
        self.batch.move(self.batch.ending or "completed")

    def _fail(self, errors: list[LineError]) -> None:
        if self.batch.cancelled.is_set():
            self.batch.move("cancelled")
            return
        self.batch.errors = errors
        self.batch.move("failed")

    async def _rest(self, share: float) -> None:
        """Let a share of the batch's time pass; it is over at once when the batch is to end."""
        if self.seconds and self.batch.ending is None:
            seconds = self.seconds * share
            await first_of(self.batch.cancelled, self.batch.expired, seconds=seconds)
        else:
            await asyncio.sleep(0)

    async def _stick(self, status: str) -> None:
        stuck = self.batch.faults.get(StuckBatch)
        if not stuck or stuck.at != status:
            return
        ends = () if status == "cancelling" else (self.batch.cancelled, self.batch.expired)
        with self.holds.enter(stuck.name) as released:
            await first_of(released, *ends)
