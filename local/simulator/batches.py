"""Batches of every provider: their record, in the simulator's own words, which are OpenAI's.

validating ─► in_progress ─► finalizing ─► completed
    │              │  │
    ▼              │  └─► expired
  failed           ▼
               cancelling ─► cancelled
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from local.simulator.batch_faults import Polled, QueueLimit, VanishedBatch
from local.simulator.behaviour import BatchFaults
from local.simulator.billing import Tokens

FINAL = frozenset({"failed", "completed", "expired", "cancelled"})

Ending = Literal["cancelled", "expired"]


@dataclass(slots=True)
class Counts:
    total: int = 0
    completed: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """How many were never run, once the batch has ended."""
        return self.total - self.completed - self.failed


@dataclass(slots=True, kw_only=True)
class Batch(ABC):
    """One batch. `moments` has the time of each status that it has been in, in Unix seconds."""

    id: str
    provider: str
    key: str
    window_seconds: float
    faults: BatchFaults
    created: float = field(default_factory=time.time)
    status: str = "validating"
    moments: dict[str, float] = field(default_factory=dict)
    model: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    usage: Tokens = field(default_factory=Tokens)
    executed: int = 0
    polls: int = 0
    polls_since_end: int = 0
    is_deleted: bool = False
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    expired: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        return self.status in FINAL

    @property
    def ending(self) -> Ending | None:
        """How the batch is to end before its time, if so."""
        if self.cancelled.is_set():
            return "cancelled"
        return "expired" if self.expired.is_set() else None

    def move(self, status: str) -> None:
        self.status = status
        self.moments[status] = time.time()

    def cancel(self) -> None:
        """Begins the end of a batch that runs; does nothing to others."""
        if not self.has_ended and not self.cancelled.is_set():
            self.move("cancelling")
            self.cancelled.set()

    def look(self) -> dict[str, Any]:
        """The object that a retrieve shows; counts as one poll, by which the batch may vanish."""
        self.polls += 1
        self.polls_since_end += self.has_ended
        return self.to_object()

    def is_there(self) -> bool:
        """Whether its provider admits to it."""
        vanished = self.faults.get(VanishedBatch)
        return not self.is_deleted and (vanished is None or self.polls <= vanished.after_polls)

    def lasts(self, fault: Polled | None, polls: int) -> bool:
        """Whether a fault that is told by looks still shows after so many of them."""
        return fault is not None and (fault.polls is None or polls <= fault.polls)

    def to_object(self) -> dict[str, Any]:
        """The batch as its faults let it be seen."""
        return self._truth() | self._lies()

    def true_object(self) -> dict[str, Any]:
        """The batch as it is, and what its provider does not tell."""
        return {"metadata": None, "model": self.model} | self._truth() | self._inside()

    def _inside(self) -> dict[str, Any]:
        counts = self.counts
        return {
            "id": self.id,
            "provider": self.provider,
            "key": self.key[-4:],
            "status": self.status,
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "executed": self.executed,
            "polls": self.polls,
            "is_deleted": self.is_deleted,
        }

    @abstractmethod
    def _truth(self) -> dict[str, Any]:
        """The batch in its provider's words."""

    @abstractmethod
    def _lies(self) -> dict[str, Any]:
        """What this batch's faults show in the place of the truth."""


class BatchStore:
    """The batches of all providers, in the order in which they were made."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}

    def add(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def all(self) -> list[Batch]:
        return list(self._batches.values())

    def find(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id)

    def has_room(self, batch: Batch, lines: int) -> bool:
        """Whether so many lines of a batch fit into the queue that its faults give it."""
        limit = batch.faults.get(QueueLimit)
        return limit is None or sum(self._queued(batch, limit)) + lines <= limit.lines

    def _queued(self, batch: Batch, limit: QueueLimit) -> Iterator[int]:
        for other in self._batches.values():
            if other is not batch and other.faults.get(QueueLimit) is limit and not other.has_ended:
                yield other.counts.total

    def clear(self) -> None:
        self._batches.clear()
