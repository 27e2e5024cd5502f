"""State FinalizeBatch: one output file and one error file, then the final status."""

from __future__ import annotations

from collections.abc import Sequence

from nightmail.batch import Batch, BatchStatus
from nightmail.bill import summed
from nightmail.part import Ending, Part
from nightmail.payloads import BatchTask, Next, StepResult
from nightmail.steps.abandon_parts import abandon_parts
from nightmail.steps.result_files import ResultFiles, write_result_files
from nightmail.steps.shard_work import Courier
from nightmail.steps.waits import TimeIsUp


def finalize_batch(task: BatchTask, courier: Courier, time_is_up: TimeIsUp) -> StepResult:
    """Where to go next: MORE, FAILED (no part got anywhere), or DONE.

    Raises WriteConflict where the batch changed meanwhile (it was cancelled, say): try again.
    """
    batches, clock = courier.stores.batches, courier.clock
    batch = batches.find(task.owner, task.batch_id)
    if batch is None or batch.status.is_final:
        return StepResult(next=Next.DONE)
    parts = abandon_parts(batch, courier)
    status = _final_status(batch, parts, clock())
    if status is BatchStatus.FAILED:
        return StepResult(next=Next.FAILED)
    if batch.status is BatchStatus.IN_PROGRESS:
        batch = batches.save(batch.move_to(BatchStatus.FINALIZING, clock()))
    written = write_result_files(batch, parts, courier.stores, clock, time_is_up)
    if written is None:
        return StepResult(next=Next.MORE)
    batches.save(close(batch, status, written, parts, clock()))
    return StepResult(next=Next.DONE)


def close(
    batch: Batch, status: BatchStatus, written: ResultFiles, parts: Sequence[Part], now: int
) -> Batch:
    """The batch in its final status, with its files and figures."""
    return batch.move_to(
        status,
        now,
        output_file_id=written.output_file_id,
        error_file_id=written.error_file_id,
        counts=written.counts,
        bills=summed(bill for part in parts for bill in part.bills),
    )


def _final_status(batch: Batch, parts: Sequence[Part], now: int) -> BatchStatus:
    if batch.status is BatchStatus.CANCELLING:
        return BatchStatus.CANCELLED
    has_expired = any(part.ending is Ending.EXPIRED and part.failed for part in parts)
    if has_expired or (not parts and batch.is_out_of_time(now)):
        return BatchStatus.EXPIRED
    got_through = any(part.got_through for part in parts)
    return BatchStatus.COMPLETED if got_through else BatchStatus.FAILED
