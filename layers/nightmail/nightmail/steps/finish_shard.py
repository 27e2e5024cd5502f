"""State FinishShard: call the lines that a shard still owes, as RunChunk calls a chunk's."""

from __future__ import annotations

from nightmail.chunk import Chunk
from nightmail.errors import NotFound
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.steps.run_chunk import Worker, WorkTime, run_part
from nightmail.steps.shard_work import next_of


def finish_shard(task: ShardTask, worker: Worker, time: WorkTime) -> StepResult:
    """Where to go next: MORE, RUN again after a wait, or where the next part of the track wants to go."""
    parts = worker.stores.parts
    try:
        part = parts.current(task.batch_id, "shard", task.shard)
        if isinstance(part, Chunk) and not part.is_over:
            step = run_part(task, "shard", task.shard, worker, time)
            if step.next is not Next.DONE:
                return step
            part = parts.current(task.batch_id, "shard", task.shard)
    except NotFound:
        return StepResult(next=Next.DONE)
    return StepResult(next=next_of(part))
