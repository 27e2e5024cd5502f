"""A batch and the life it leads.

    validating ──► in_progress ──► finalizing ──► completed
        │               │               ├───────► expired
        │               │               └───────► failed
        ├──► completed  │   a dry run
        ├───────────────┼──► failed
        ├───────────────┼──► expired
        └───────────────┴──► cancelling ──► cancelled
                                  └───────► failed

The words are OpenAI's eight. `NEXT` is the only table of allowed moves, `Batch.move_to` the only way
to change a status, and the store writes a move on the condition that nobody wrote before it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from nightmail.bill import Bill, total_usage
from nightmail.deployment import Lane
from nightmail.errors import StatusConflict
from nightmail.estimate import Estimate
from nightmail.file import ExpiresAfter, Segment
from nightmail.usage import Usage


class BatchStatus(StrEnum):
    """OpenAI's words, and no others."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """A final status never changes."""
        return not NEXT[self]


NEXT: dict[BatchStatus, frozenset[BatchStatus]] = {
    BatchStatus.VALIDATING: frozenset(
        {
            BatchStatus.IN_PROGRESS,
            BatchStatus.COMPLETED,
            BatchStatus.FAILED,
            BatchStatus.EXPIRED,
            BatchStatus.CANCELLING,
        }
    ),
    BatchStatus.IN_PROGRESS: frozenset(
        {
            BatchStatus.FINALIZING,
            BatchStatus.FAILED,
            BatchStatus.EXPIRED,
            BatchStatus.CANCELLING,
        }
    ),
    BatchStatus.FINALIZING: frozenset(
        {BatchStatus.COMPLETED, BatchStatus.EXPIRED, BatchStatus.FAILED}
    ),
    BatchStatus.CANCELLING: frozenset({BatchStatus.CANCELLED, BatchStatus.FAILED}),
    BatchStatus.COMPLETED: frozenset(),
    BatchStatus.FAILED: frozenset(),
    BatchStatus.EXPIRED: frozenset(),
    BatchStatus.CANCELLED: frozenset(),
}


# A hundred errors have to fit into one item of 400 KB, whatever a caller or a provider wrote.
MAX_ERRORS = 100
_Name = Annotated[str, AfterValidator(lambda text: text[:100])]
_Text = Annotated[str, AfterValidator(lambda text: text[:700])]


class BatchError(BaseModel):
    """One entry of a batch's `errors`; `line` is 1-based. Texts that are too long are cut."""

    code: _Name
    message: _Text
    param: _Name | None = None
    line: int | None = None


class RequestCounts(BaseModel):
    """Lines of the input file, and what became of them."""

    total: int = 0
    completed: int = 0
    failed: int = 0


OnDeadline = Literal["expire", "finish_direct"]
"""What becomes of lines that the native lane still owes when the window is nearly over."""


class InboxOrigin(BaseModel):
    """The dropped object that became this batch: `name` is its path under `inbox/<owner>/`."""

    name: str
    etag: str


class Batch(BaseModel):
    """A batch of one owner. Times are Unix seconds; `version` counts the writes."""

    v: Literal[1] = 1
    version: int = 1
    id: str
    owner: str
    endpoint: str
    completion_window: str
    input_file_id: str
    status: BatchStatus = BatchStatus.VALIDATING
    created_at: int
    expires_at: int
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    metadata: dict[str, str] | None = None
    output_expires_after: ExpiresAfter | None = None
    deployment_hint: str | None = None  # LiteLLM's `model` hints choose the deployment
    strict: bool | None = None  # OpenAI's rule: one endpoint, one model; None: as the config says
    on_deadline: OnDeadline | None = None
    dry_run: bool = False  # it is planned and not sent
    retry_of: str | None = None  # the batch whose failed lines it runs again
    delete_at: int | None = None  # the table's TTL attribute
    model: str | None = None  # the public name that the lines ask for, where it is one
    lane: Lane | None = None  # which every line takes, whatever the deployment says
    answered: Segment | None = None  # outcomes that it begins with: rows, sorted
    shards: int = 0  # how many PlanBatch cut
    chunks: int = 0
    counts: RequestCounts = Field(default_factory=RequestCounts)
    bills: list[Bill] = Field(default_factory=list)  # of a batch that has ended
    estimate: Estimate | None = None
    errors: list[BatchError] = Field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    inbox: InboxOrigin | None = None

    def move_to(self, status: BatchStatus, now: int, **changes: Any) -> Batch:
        """A copy in the new status, stamped with its time.

        Raises StatusConflict where `NEXT` has no such move.
        """
        if status not in NEXT[self.status]:
            raise StatusConflict(f"A batch cannot go from {self.status} to {status}.")
        stamp = {} if status is BatchStatus.VALIDATING else {f"{status}_at": now}
        return self.model_copy(update={"status": status, **stamp, **changes})

    @property
    def usage(self) -> Usage:
        """Tokens of its successful lines, when it has ended."""
        return total_usage(self.bills)

    @property
    def is_planned(self) -> bool:
        """Whether there are parts whose lines are owed an outcome."""
        return self.shards + self.chunks > 0

    def is_out_of_time(self, now: int) -> bool:
        """Whether the completion window has passed."""
        return now >= self.expires_at
