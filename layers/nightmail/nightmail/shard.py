"""A shard: the lines of one batch that go together to one provider's batch API.

    planned ──► submitting ──► submitted ──► ended ──► collected
       ▲             │              │
       └─────────────┴──────────────┘   held: the provider's queue was full
       any of them ──► stopped          nothing more will come; `error` says why

`submitting` is the intent, written before the call that pays; the step that pays holds a lease.
`fence` counts the writes, and every write is made on the condition that the number is still the one
that was read: a worker that was overtaken can no longer write.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, BatchStatus, Usage
from nightmail.deployment import Deployment
from nightmail.errors import GatewayError
from nightmail.file import Segment


class ShardState(StrEnum):
    PLANNED = "planned"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    ENDED = "ended"
    COLLECTED = "collected"
    STOPPED = "stopped"


class Ending(StrEnum):
    """How a shard ended; `OWED` says what its lines without an outcome are told."""

    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOST = "lost"  # the provider no longer knows the batch, or our part of it broke


OWED = {
    Ending.COMPLETED: {
        "code": "provider_result_missing",
        "message": "The provider's results did not contain this request.",
    },
    Ending.EXPIRED: {
        "code": "batch_expired",
        "message": "This request could not be executed before the completion window expired.",
    },
    Ending.CANCELLED: {
        "code": "batch_cancelled",
        "message": "This request was not executed because the batch was cancelled.",
    },
    Ending.FAILED: {
        "code": "provider_error",
        "message": "The provider refused the whole batch; the batch's errors say why.",
    },
    Ending.LOST: {
        "code": "internal_error",
        "message": "The gateway could not get an answer to this request.",
    },
}


class Shard(BaseModel):
    """One shard's item. Times are Unix seconds; `number` is 1-based."""

    v: Literal[1] = 1
    batch_id: str
    number: int
    endpoint: str
    deployment: Deployment
    lines: int
    input: list[Segment]  # in the provider's own format
    index: list[Segment]  # line numbers and custom_ids, in order
    state: ShardState = ShardState.PLANNED
    fence: int = 0
    lease_until: int = 0
    last_refusal: str | None = None  # why the latest attempt led to nothing
    attempts: int = 0  # refusals and time-outs since the last success
    looks: int = 0  # searches that found no batch after an unclear answer
    returns: int = 0  # batches that the provider gave back before it ran a line
    rereads: int = 0  # looks at an ended batch whose results were not all there
    provider_file_id: str | None = None
    provider_batch_id: str | None = None
    provider_status: str | None = None  # the provider's own word
    provider_output_ids: list[str] = Field(default_factory=list)
    reported_completed: int = 0  # what the provider says while it runs
    reported_failed: int = 0
    intended_at: int | None = None
    submitted_at: int | None = None
    cancel_asked_at: int | None = None
    ending: Ending | None = None
    errors: list[BatchError] = Field(default_factory=list)
    runs: list[Segment] = Field(default_factory=list)  # outcomes, each sorted by line number
    completed: int = 0
    failed: int = 0
    usage: Usage = Field(default_factory=Usage)

    def stopped(self, ending: Ending | None, errors: Sequence[BatchError]) -> Shard:
        """A copy that nobody goes on with: its lines have failed."""
        changes = {"ending": ending, "errors": list(errors), "failed": self.lines}
        return self.model_copy(update={"state": ShardState.STOPPED, **changes})


def why_to_stop(batch: Batch, now: int) -> Ending | None:
    """Why a batch wants no more work, if it wants none."""
    if batch.status is BatchStatus.CANCELLING or batch.status.is_final:
        return Ending.CANCELLED
    return Ending.EXPIRED if batch.is_out_of_time(now) else None


def refused_by(error: GatewayError) -> BatchError:
    """What a provider (or our own config) said, as an entry of a batch's errors."""
    return BatchError(code=error.code or "provider_error", message=error.message, param=error.param)
