"""What the steps of a shard have in common: what they read, what they write, and who goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nightmail.batch import Batch, BatchError
from nightmail.errors import NotFound
from nightmail.part import Ending, Part
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.providers.base import FormatOf, ProviderOf
from nightmail.shard import Shard, ShardState
from nightmail.steps.passing_on import Destination, PassingOn, Reason, reason_of_silence
from nightmail.steps.waits import Clock, try_again
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_NEXT = {
    ShardState.PLANNED: Next.SUBMIT,
    ShardState.SUBMITTING: Next.SUBMIT,
    ShardState.SUBMITTED: Next.POLL,
    ShardState.ENDED: Next.COLLECT,
    ShardState.COLLECTED: Next.DONE,
    ShardState.STOPPED: Next.DONE,
}


@dataclass(frozen=True)
class Courier:
    """What the steps of a shard need of the world."""

    stores: Stores
    provider_of: ProviderOf
    format_of: FormatOf
    pricer: Pricer
    clock: Clock


def next_of(part: Part) -> Next:
    """The step that a part of a shard's track waits for."""
    if isinstance(part, Shard):
        return _NEXT[part.state]
    return Next.DONE if part.is_over else Next.RUN


def find_part(task: ShardTask, stores: Stores) -> tuple[Batch, Part] | None:
    """The batch, and what its track has come to; None where there is no such any more."""
    try:
        batch = stores.batches.get(task.owner, task.batch_id)
        return batch, stores.parts.current(task.batch_id, "shard", task.shard)
    except NotFound:
        return None


class ShardWork:
    """One step's work on one shard."""

    def __init__(self, batch: Batch, shard: Shard, courier: Courier) -> None:
        self._batch = batch
        self._shard = shard
        self._courier = courier
        self._stores = courier.stores
        self._parts = courier.stores.parts

    def _now(self) -> int:
        return self._courier.clock()

    def _save(self, **changes: Any) -> None:
        self._shard = self._parts.save(self._shard.changed(**changes))

    def _release(self, **changes: Any) -> None:
        self._shard = self._parts.release(self._shard.changed(**changes))

    def _destination(self, reason: Reason) -> Destination | None:
        """Where all its lines would go now."""
        rules = PassingOn(self._batch, self._shard, self._courier.format_of, self._now())
        return rules.destinations({reason: self._shard.lines}).get(reason)

    def _give_up(
        self, ending: Ending, errors: Sequence[BatchError], *, is_unfit: bool = False
    ) -> StepResult:
        """Its provider does no more. Where nobody takes over its lines, nothing more will come."""
        changes: dict[str, Any] = {
            "ending": ending,
            "errors": list(errors),
            "is_unfit": is_unfit,
            "provider_output_ids": [],
            "last_refusal": errors[0].message if errors else None,
        }
        reason = reason_of_silence(self._shard.changed(**changes))
        if reason is None or self._destination(reason) is None:
            return self._stop(ending, errors)
        said = [error.message for error in errors]
        logger.warning("shard given up", extra={"ending": ending, "errors": said})
        self._release(state=ShardState.ENDED, **changes)
        return StepResult(next=Next.COLLECT)

    def _next(self) -> StepResult:
        """What the track waits for, now that this shard is over."""
        part = self._parts.current(self._batch.id, "shard", self._shard.number)
        step = next_of(part)
        return try_again(step, part.tries) if part.tries else StepResult(next=step)

    def _quarantine(self, message: str) -> StepResult:
        """It may have been paid, and nobody can tell: its lines are sent nowhere else."""
        return self._stop(Ending.FAILED, [BatchError(code="submission_unclear", message=message)])

    def _stop(self, ending: Ending, errors: Sequence[BatchError]) -> StepResult:
        said = [error.message for error in errors]
        logger.warning("shard stopped", extra={"ending": ending, "errors": said})
        self._shard = self._parts.release(self._shard.stopped(ending, errors))
        return self._next()
