"""State PlanBatch: read the input once, check every line, cut it into parts. Nothing is sent yet."""

from __future__ import annotations

from nightmail.batch import Batch, BatchError, BatchStatus
from nightmail.errors import ConfigError
from nightmail.part import refused_by, why_to_stop
from nightmail.payloads import BatchTask, Next, PlanResult
from nightmail.steps.input_checks import InputRefused
from nightmail.steps.plan import Plan, Planner
from nightmail.steps.waits import Clock, TimeIsUp
from nightmail.work_keys import batch_folder, chunk_items_key


def plan_batch(task: BatchTask, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> PlanResult:
    """Where to go next: MORE, PARTS, FINALIZE (it was cancelled), FAILED, or DONE (it is gone, or was a
    dry run).
    """
    batch = planner.stores.batches.find(task.owner, task.batch_id)
    step = _step(batch, planner, clock, time_is_up) if batch else Next.DONE
    if batch and batch.dry_run and step is not Next.MORE:
        _forget(batch, planner)
    planned = planner.stores.batches.find(task.owner, task.batch_id) if step is Next.PARTS else None
    return PlanResult(
        next=step,
        shard_concurrency=planner.limits.shard_concurrency,
        map_concurrency=planner.limits.map_concurrency,
        shards=planned.shards if planned else 0,
        chunks=_chunks_to_run(planned, planner) if planned else 0,
    )


def _chunks_to_run(batch: Batch, planner: Planner) -> int:
    """None where all of them were over when they were planned: a map has to have items."""
    has_items = batch.chunks and planner.stores.objects.stat(chunk_items_key(batch.id)).size
    return batch.chunks if has_items else 0


def _forget(batch: Batch, planner: Planner) -> None:
    """A dry run leaves its estimate alone, not how far it had come."""
    objects = planner.stores.objects
    kept = objects.segments(f"{batch_folder(batch.id)}/")
    objects.delete([segment.key for segment in kept])


def _step(batch: Batch, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> Next:
    settled = _settled(batch, clock())
    if settled:
        return settled
    try:
        batch = _resolved(batch, planner)
        return _plan(batch, planner, clock, time_is_up)
    except InputRefused as refused:
        return _refused(batch, planner, refused.errors)
    except ConfigError as error:
        return _refused(batch, planner, [refused_by(error)])


def _plan(batch: Batch, planner: Planner, clock: Clock, time_is_up: TimeIsUp) -> Next:
    plan = Plan(batch, planner)
    if plan.read(clock(), time_is_up) and plan.write(time_is_up):
        return plan.finish(clock())
    return Next.MORE


def _resolved(batch: Batch, planner: Planner) -> Batch:
    """With what the config says now, for all its life."""
    if batch.strict is not None and batch.on_deadline is not None:
        return batch
    changes = {
        "strict": planner.strict() if batch.strict is None else batch.strict,
        "on_deadline": batch.on_deadline or planner.on_deadline(),
    }
    return planner.stores.batches.save(batch.model_copy(update=changes))


def _settled(batch: Batch, now: int) -> Next | None:
    """Where to go without planning: it has ended, is planned already, or wants to end."""
    if batch.status.is_final:
        return Next.DONE
    if batch.status is BatchStatus.IN_PROGRESS:
        return Next.PARTS
    if batch.status is BatchStatus.FINALIZING or why_to_stop(batch, now):
        return Next.FINALIZE
    return None


def _refused(batch: Batch, planner: Planner, errors: list[BatchError]) -> Next:
    planner.stores.batches.save(batch.model_copy(update={"errors": errors}))
    return Next.FAILED
