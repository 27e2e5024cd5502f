"""Batches: their record, and how a look at one shows it.

validating ─► in_progress ─► finalizing ─► completed
    │              │  │
    ▼              │  └─► expired
  failed           ▼
               cancelling ─► cancelled
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from local.simulator.batch_faults import (
    EmptyErrorFile,
    LaggingCounts,
    LateOutput,
    OddStatus,
    Polled,
    VanishedBatch,
)
from local.simulator.behaviour import BatchFaults
from local.simulator.errors import ApiError, batch_not_found
from local.simulator.files import File

FINAL = frozenset({"failed", "completed", "expired", "cancelled"})


@dataclass(slots=True)
class Counts:
    total: int = 0
    completed: int = 0
    failed: int = 0


@dataclass(slots=True)
class Usage:
    """Tokens of the successful requests, summed."""

    read: int = 0
    wrote: int = 0

    def add(self, usage: dict[str, int]) -> None:
        """Takes the usage of any endpoint: chat, embeddings and responses name it differently."""
        self.read += usage.get("prompt_tokens", 0) + usage.get("input_tokens", 0)
        self.wrote += usage.get("completion_tokens", 0) + usage.get("output_tokens", 0)

    def to_object(self) -> dict[str, Any]:
        return {
            "input_tokens": self.read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.wrote,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.read + self.wrote,
        }


@dataclass(slots=True, kw_only=True)
class Batch:
    """One batch. `moments` has the time of each status that it has been in, in Unix seconds."""

    endpoint: str
    input_file_id: str
    input_file: File | None
    metadata: dict[str, str] | None
    output_seconds: int | None
    window_seconds: float
    faults: BatchFaults
    id: str = field(default_factory=lambda: f"batch_{secrets.token_hex(16)}")
    created: float = field(default_factory=time.time)
    status: str = "validating"
    moments: dict[str, int] = field(default_factory=dict)
    model: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    executed: int = 0
    polls: int = 0
    polls_since_end: int = 0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    expired: asyncio.Event = field(default_factory=asyncio.Event)

    def move(self, status: str) -> None:
        self.status = status
        self.moments[status] = int(time.time())

    def cancel(self) -> None:
        """Raises ApiError, a 409, for a batch that ended otherwise."""
        if self.status in {"failed", "completed", "expired"}:
            raise ApiError(409, f"Cannot cancel a batch with status '{self.status}'.")
        if self.status not in {"cancelling", "cancelled"}:
            self.move("cancelling")
            self.cancelled.set()

    def look(self) -> dict[str, Any]:
        """The object that a retrieve shows; counts as one poll. Raises ApiError if it vanished."""
        self.polls += 1
        self.polls_since_end += self.status in FINAL
        if self.has_vanished():
            raise batch_not_found(self.id)
        return self.to_object()

    def has_vanished(self) -> bool:
        vanished = self.faults.get(VanishedBatch)
        return vanished is not None and self.polls > vanished.after_polls

    def to_object(self) -> dict[str, Any]:
        """The batch as its faults let it be seen."""
        return self._truth() | self._lies()

    def true_object(self) -> dict[str, Any]:
        """The batch as it is, with how many of its lines were run, and how often it was polled."""
        return self._truth() | {"executed": self.executed, "polls": self.polls}

    def _truth(self) -> dict[str, Any]:
        expires_at = (
            None if self.status == "validating" else int(self.created + self.window_seconds)
        )
        errors = {"object": "list", "data": self.errors} if self.errors else None
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": errors,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(self.created),
            "expires_at": expires_at,
            **{f"{status}_at": self.moments.get(status) for status in _STAMPED},
            "request_counts": {
                "total": self.counts.total,
                "completed": self.counts.completed,
                "failed": self.counts.failed,
            },
            "usage": self.usage.to_object(),
            "metadata": self.metadata,
        }

    def _lies(self) -> dict[str, Any]:
        """What this batch's faults show in the place of the truth."""
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and _lasts(odd, self.polls):
            lies["status"] = odd.word
        if (lagging := self.faults.get(LaggingCounts)) and _lasts(lagging, self.polls_since_end):
            lies["request_counts"] = {"total": 0, "completed": 0, "failed": 0}
        if (late := self.faults.get(LateOutput)) and _lasts(late, self.polls_since_end):
            lies["output_file_id"] = None
        if self.faults.get(EmptyErrorFile) and self.error_file_id is None:
            lies["error_file_id"] = ""
        return lies


def _lasts(fault: Polled, polls: int) -> bool:
    return fault.polls is None or polls <= fault.polls


_STAMPED = (
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
)


class BatchStore:
    """Batches by id, in the order in which they were made."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}

    def add(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def get(self, batch_id: str) -> Batch:
        """Raises ApiError, a 404, for an unknown id."""
        if batch := self._batches.get(batch_id):
            return batch
        raise batch_not_found(batch_id)

    def all(self) -> list[Batch]:
        return list(self._batches.values())

    def clear(self) -> None:
        self._batches.clear()
