"""What the steps of a shard have in common: what they read, what they write, and who goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import Batch, BatchError
from nightmail.part import Ending
from nightmail.payloads import Next, StepResult
from nightmail.shard import Shard, ShardState
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

_NEXT = {
    ShardState.PLANNED: Next.SUBMIT,
    ShardState.SUBMITTING: Next.SUBMIT,
    ShardState.SUBMITTED: Next.POLL,
    ShardState.ENDED: Next.COLLECT,
    ShardState.COLLECTED: Next.DONE,
    ShardState.STOPPED: Next.DONE,
}


def next_of(shard: Shard) -> Next:
    """The step that a shard in this state waits for."""
    return _NEXT[shard.state]


class ShardWork:
    """One step's work on one shard."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores) -> None:
        self._batch = batch
        self._shard = shard
        self._stores = stores
        self._shards = stores.parts.shards

    def _save(self, **changes: Any) -> None:
        self._shard = self._shards.save(self._shard.changed(**changes))

    def _release(self, **changes: Any) -> None:
        self._shard = self._shards.release(self._shard.changed(**changes))

    def _stop(self, ending: Ending, errors: Sequence[BatchError]) -> StepResult:
        said = [error.message for error in errors]
        logger.warning("shard stopped", extra={"ending": ending, "errors": said})
        self._shard = self._shards.release(self._shard.stopped(ending, errors))
        return StepResult(next=Next.DONE)
