"""State FailBatch: record why a batch failed, and deliver what there is of it.

It also runs when an execution failed, timed out or was aborted, whatever the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from nightmail.batch import MAX_ERRORS, Batch, BatchError, BatchStatus
from nightmail.part import Part
from nightmail.payloads import BatchTask, Next, StepResult
from nightmail.steps.abandon_parts import abandon_parts
from nightmail.steps.finalize_batch import close
from nightmail.steps.result_files import write_result_files
from nightmail.steps.shard_work import Courier
from nightmail.steps.waits import TimeIsUp

_UNKNOWN = BatchError(
    code="internal_error",
    message="The gateway could not finish this batch. Its operator finds the reason in the log.",
)


def fail_batch(task: BatchTask, courier: Courier, time_is_up: TimeIsUp) -> StepResult:
    """Where to go next: MORE or FAILED; DONE where there is nothing left to fail."""
    stores, clock = courier.stores, courier.clock
    batch = stores.batches.find(task.owner, task.batch_id)
    if batch is None or batch.status.is_final:
        return StepResult(next=Next.DONE)
    if not batch.is_planned:
        errors = _errors(batch, [])
        stores.batches.save(batch.move_to(BatchStatus.FAILED, clock(), errors=errors))
        return StepResult(next=Next.FAILED)
    parts = abandon_parts(batch, courier)
    written = write_result_files(batch, parts, stores, clock, time_is_up)
    if written is None:
        return StepResult(next=Next.MORE)
    failed = close(batch, BatchStatus.FAILED, written, parts, clock())
    stores.batches.save(failed.model_copy(update={"errors": _errors(batch, parts)}))
    return StepResult(next=Next.FAILED)


def _errors(batch: Batch, parts: Sequence[Part]) -> list[BatchError]:
    """The parts' own, each said once: many chunks meet the same refusal."""
    different = {repr(part.errors): part.errors for part in parts}
    found = batch.errors or [error for errors in different.values() for error in errors]
    return found[:MAX_ERRORS] or [_UNKNOWN]
