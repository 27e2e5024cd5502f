"""State FinalizeBatch: one output file and one error file, then the final status."""

from __future__ import annotations

from collections.abc import Sequence

from nightmail.batch import Batch, BatchStatus, Usage
from nightmail.payloads import BatchTask, Next, StepResult
from nightmail.providers.base import ProviderOf
from nightmail.shard import Ending, Shard, ShardState
from nightmail.steps.abandon_shards import abandon_shards
from nightmail.steps.again import Clock, TimeIsUp
from nightmail.steps.result_files import ResultFiles, write_result_files
from nightmail.stores.stores import Stores


def finalize_batch(
    task: BatchTask, stores: Stores, provider_of: ProviderOf, clock: Clock, time_is_up: TimeIsUp
) -> StepResult:
    """Where to go next: MORE, FAILED (no shard got anywhere), or DONE.

    Raises WriteConflict where the batch changed meanwhile (it was cancelled, say): try again.
    """
    batch = stores.batches.find(task.owner, task.batch_id)
    if batch is None or batch.status.is_final:
        return StepResult(next=Next.DONE)
    shards = abandon_shards(batch, stores, provider_of, clock())
    status = _final_status(batch, shards, clock())
    if status is BatchStatus.FAILED:
        return StepResult(next=Next.FAILED)
    if batch.status is BatchStatus.IN_PROGRESS:
        batch = stores.batches.save(batch.move_to(BatchStatus.FINALIZING, clock()))
    written = write_result_files(batch, shards, stores, clock, time_is_up)
    if written is None:
        return StepResult(next=Next.MORE)
    stores.batches.save(close(batch, status, written, shards, clock()))
    return StepResult(next=Next.DONE)


def close(
    batch: Batch, status: BatchStatus, written: ResultFiles, shards: Sequence[Shard], now: int
) -> Batch:
    """The batch in its final status, with its files and figures."""
    return batch.move_to(
        status,
        now,
        output_file_id=written.output_file_id,
        error_file_id=written.error_file_id,
        counts=written.counts,
        usage=sum((shard.usage for shard in shards), Usage()),
    )


def _final_status(batch: Batch, shards: Sequence[Shard], now: int) -> BatchStatus:
    if batch.status is BatchStatus.CANCELLING:
        return BatchStatus.CANCELLED
    endings = {shard.ending for shard in shards}
    if Ending.EXPIRED in endings or (not shards and batch.is_out_of_time(now)):
        return BatchStatus.EXPIRED
    collected = any(shard.state is ShardState.COLLECTED for shard in shards)
    return BatchStatus.COMPLETED if collected else BatchStatus.FAILED
