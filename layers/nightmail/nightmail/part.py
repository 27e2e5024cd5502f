"""A part of a batch: lines that go one way together. A shard is one, and so is a chunk.

What is common to both is here: which lines they are, what came of them, and the lease by which one
worker at a time acts on them.

A line belongs to one part at a time. Lines that a shard still owes when it has been collected pass to
its successors: parts of the same track and number, in later rounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field

from nightmail.batch import Batch, BatchError, BatchStatus
from nightmail.bill import Bill, total_usage
from nightmail.deployment import Deployment
from nightmail.errors import GatewayError
from nightmail.file import Segment
from nightmail.usage import Usage


class Ending(StrEnum):
    """How a part ended; `OWED` says what its lines without an outcome are told."""

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


Track = Literal["shard", "chunk"]
"""Whose map runs a part."""


class Part(BaseModel, ABC):
    """Some lines of one batch: one deployment, one endpoint. `number` is 1-based.

    Each row of its `index` tells of one line: `number start end custom_id`, in the order of the input,
    where `start` and `end` bound the line's bytes in the input file. The number of the first line is
    `first`. `fallbacks` are whom to ask next, in this order, where the deployment fails. `fence`
    counts the writes, and every write is made on the condition that the number is still the one that
    was read: a worker that was overtaken can no longer write.
    """

    kind: ClassVar[str]

    v: Literal[1] = 1
    batch_id: str
    track: Track
    number: int
    round: int = 0
    endpoint: str
    deployment: Deployment
    fallbacks: list[Deployment] = Field(default_factory=list)
    tries: int = 0  # rounds in which its lines were retried at this deployment
    lines: int
    first: int = 1
    index: list[Segment]
    fence: int = 0
    lease_until: int = 0  # Unix seconds
    last_refusal: str | None = None  # why the latest attempt led to nothing
    ending: Ending | None = None
    errors: list[BatchError] = Field(default_factory=list)
    runs: list[Segment] = Field(default_factory=list)  # outcomes, each sorted by line number
    completed: int = 0
    failed: int = 0
    bills: list[Bill] = Field(default_factory=list)

    def changed(self, **changes: Any) -> Self:
        """A copy with these fields. Raises TypeError for a name that is none."""
        unknown = changes.keys() - type(self).model_fields.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}.")
        return self.model_copy(update=changes)

    @property
    def name(self) -> str:
        """What it alone is called, among the parts of all batches."""
        return f"{self.batch_id} {self.track} {self.number}.{self.round}"

    @property
    def usage(self) -> Usage:
        """Tokens of its successful lines."""
        return total_usage(self.bills)

    @abstractmethod
    def stopped(self, ending: Ending, errors: Sequence[BatchError]) -> Self:
        """A copy that nobody goes on with: its lines without an answer have failed."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether nothing more will come."""

    @property
    @abstractmethod
    def got_through(self) -> bool:
        """Whether its provider took it: what it lacks has failed by itself."""

    def _closed(self, ending: Ending, errors: Sequence[BatchError]) -> dict[str, Any]:
        return {"ending": ending, "errors": list(errors), "failed": self.lines - self.completed}


def why_to_stop(batch: Batch, now: int) -> Ending | None:
    """Why a batch wants no more work, if it wants none."""
    if batch.status is BatchStatus.CANCELLING or batch.status.is_final:
        return Ending.CANCELLED
    return Ending.EXPIRED if batch.is_out_of_time(now) else None


def refused_by(error: GatewayError) -> BatchError:
    """What a provider (or our own config) said, as an entry of a batch's errors."""
    return BatchError(code=error.code or "provider_error", message=error.message, param=error.param)
