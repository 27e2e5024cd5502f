"""The life of one batch, from validation to its final status."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import Literal

from local.simulator.answers import dated
from local.simulator.batch_faults import ExpiredBatch, FailedBatch, StuckBatch
from local.simulator.batches import Batch
from local.simulator.files import File, FileStore
from local.simulator.holds import Holds, first_of
from local.simulator.ledger import Ledger
from local.simulator.results import Results
from local.simulator.validation import LineError, batch_error, check

# The counts of a small batch grow in so many steps; a large batch lets others have a turn.
_STEPS = 20
_LINES_AT_ONCE = 50
# How a batch divides its time.
_VALIDATING, _IN_PROGRESS, _FINALIZING = 0.1, 0.8, 0.1


def shuffled(offsets: Sequence[int]) -> list[int]:
    """The order in which lines are executed: the same every time, and never the input's."""
    order = list(offsets)
    random.Random(len(order)).shuffle(order)
    return order if order != list(offsets) else order[::-1]


@dataclass(frozen=True, slots=True)
class Life:
    """A batch with all that it needs to live; `seconds` is how long that takes without faults."""

    batch: Batch
    files: FileStore
    holds: Holds
    ledger: Ledger
    seconds: float
    max_lines: int
    max_bytes: int

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

    async def _run(self) -> None:
        await self._rest(_VALIDATING)
        await self._stick("validating")
        if not self.batch.input_file or not self.batch.input_file.path.exists():
            self._fail([_no_such_file(self.batch.input_file_id)])
        elif failed := self.batch.faults.get(FailedBatch):
            self._fail(failed.errors)
        elif self.batch.input_file.size > self.max_bytes:
            self._fail([_too_large(self.max_bytes)])
        else:
            await self._run_file(self.batch.input_file)

    async def _run_file(self, input_file: File) -> None:
        with input_file.path.open("rb") as file:
            checked = await check(self.batch, file, most_lines=self.max_lines)
            if checked.errors:
                self._fail(checked.errors)
                return
            self.batch.model = dated(str(checked.model))
            self.batch.counts.total = len(checked.offsets)
            results = Results(self.batch, self.files)
            try:
                await self._run_lines(file, shuffled(checked.offsets), results)
                await self._finish(results)
            finally:
                results.discard()

    async def _run_lines(self, file: BufferedReader, order: list[int], results: Results) -> None:
        """Execute lines until all are done or the batch is to end; then tell what was not run."""
        if not self._ending():
            self.batch.move("in_progress")
        position = 0
        while not await self._is_over(position, len(order)):
            results.execute(_line_at(file, order[position]), self.ledger)
            position += 1
        for count, offset in enumerate(order[position:], start=1):
            results.skip(_line_at(file, offset), f"batch_{self._ending()}")
            if count % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _is_over(self, position: int, total: int) -> bool:
        """Called before each line, and after the last one: here time passes and faults strike."""
        step = max(1, min(_LINES_AT_ONCE, total // _STEPS))
        if position % step == 0:
            await self._rest(_IN_PROGRESS * min(step, total - position) / total)
        expiring = self.batch.faults.get(ExpiredBatch)
        if expiring and position == min(expiring.after_lines, total):
            self.batch.expired.set()
        stuck = self.batch.faults.get(StuckBatch)
        if stuck and position == min(stuck.after_lines, total):
            await self._stick("in_progress")
        return position == total or self._ending() is not None

    async def _finish(self, results: Results) -> None:
        if self._ending() is None:
            self.batch.move("finalizing")
            await self._rest(_FINALIZING)
            await self._stick("finalizing")
        if self.batch.cancelled.is_set():
            await self._stick("cancelling")
        results.publish()
        self.batch.move(self._ending() or "completed")

    def _ending(self) -> Literal["cancelled", "expired"] | None:
        """How the batch is to end before its time, if so."""
        if self.batch.cancelled.is_set():
            return "cancelled"
        return "expired" if self.batch.expired.is_set() else None

    def _fail(self, errors: list[LineError]) -> None:
        if self.batch.cancelled.is_set():
            self.batch.move("cancelled")
            return
        self.batch.errors = errors
        self.batch.move("failed")

    async def _rest(self, share: float) -> None:
        """Let a share of the batch's time pass; it is over at once when the batch is to end."""
        if self.seconds and self._ending() is None:
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


def _line_at(file: BufferedReader, offset: int) -> bytes:
    file.seek(offset)
    return file.readline()


def _no_such_file(file_id: str) -> LineError:
    message = (
        f"Cannot find file {file_id}, or organization org-simulator does not have access to it."
    )
    return batch_error("invalid_request", message, "file_id")


def _too_large(most: int) -> LineError:
    message = (
        f"The batch input file is larger than the {most} maximum. "
        "Please try again with a smaller batch."
    )
    return batch_error("file_too_large", message)
