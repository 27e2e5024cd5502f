"""A shard: the lines of one batch that go together to one provider's batch API.

    planned ──► submitting ──► submitted ──► ended ──► collected
       ▲             │              │
       └─────────────┴──────────────┘   held: the provider's queue was full
       any of them ──► ended            its provider does no more; others may take over its lines
       any of them ──► stopped          nothing more will come; `errors` say why

`submitting` is the intent, written before the call that pays; the step that pays holds a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field

from nightmail.batch import BatchError
from nightmail.file import Segment
from nightmail.part import Ending, Part


class ShardState(StrEnum):
    PLANNED = "planned"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    ENDED = "ended"
    COLLECTED = "collected"
    STOPPED = "stopped"


class Shard(Part):
    """One shard's item. Times are Unix seconds."""

    kind = "shard"

    track: Literal["shard"] = "shard"
    input: list[Segment]  # in the provider's own format
    state: ShardState = ShardState.PLANNED
    attempts: int = 0  # refusals and time-outs since the last success
    looks: int = 0  # searches that found no batch after an unclear answer
    returns: int = 0  # batches that the provider gave back before it ran a line
    rereads: int = 0  # looks at an ended batch whose results were not all there
    provider_file_id: str | None = None
    provider_batch_id: str | None = None
    is_adopted: bool = False  # the provider's batch looked like ours; nobody said that it is
    is_unfit: bool = False  # its provider takes no such batch, and has started none
    provider_status: str | None = None  # the provider's own word
    provider_output_ids: list[str] = Field(default_factory=list)
    reported_completed: int = 0  # what the provider says while it runs
    reported_failed: int = 0
    intended_at: int | None = None
    submitted_at: int | None = None
    cancel_asked_at: int | None = None
    progressed_at: int | None = None  # when the provider last reported anything new
    patience_seconds: int | None = None  # after so long without it stalls; None: it reports nothing

    def stopped(self, ending: Ending, errors: Sequence[BatchError]) -> Self:
        return self.changed(state=ShardState.STOPPED, **self._closed(ending, errors))

    @property
    def is_over(self) -> bool:
        return self.state in {ShardState.COLLECTED, ShardState.STOPPED}

    @property
    def got_through(self) -> bool:
        return self.state is ShardState.COLLECTED
