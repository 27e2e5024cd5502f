"""A batch as Anthropic shows it: https://docs.claude.com/en/api/creating-message-batches."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.simulator.batch_faults import LaggingCounts, LateOutput, OddStatus
from local.simulator.inline_work import InlineBatch

_COUNTED = ("processing", "succeeded", "errored", "canceled", "expired")


def new_batch_id() -> str:
    return f"msgbatch_{secrets.token_hex(12)}"


@dataclass(slots=True, kw_only=True)
class MessageBatch(InlineBatch):
    """`base` is where its client has found the provider."""

    id: str = field(default_factory=new_batch_id)
    base: str

    def _truth(self) -> dict[str, Any]:
        results_url = f"{self.base}/v1/messages/batches/{self.id}/results"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self._processing_status(),
            "request_counts": self._request_counts(),
            "created_at": _moment(self.created),
            "expires_at": _moment(self.created + self.window_seconds),
            "ended_at": _moment(self.moments[self.status]) if self.has_ended else None,
            "cancel_initiated_at": _moment(self.moments.get("cancelling")),
            "archived_at": None,
            "results_url": results_url if self.results else None,
        }

    def _processing_status(self) -> str:
        if self.has_ended:
            return "ended"
        return "canceling" if self.cancelled.is_set() else "in_progress"

    def _request_counts(self) -> dict[str, int]:
        """Nothing is told of single requests before all of them have ended."""
        counts, told = self.counts, dict.fromkeys(_COUNTED, 0)
        if not self.has_ended:
            return told | {"processing": counts.total}
        left = "canceled" if self.status == "cancelled" else "expired"
        return told | {"succeeded": counts.completed, "errored": counts.failed, left: counts.left}

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["processing_status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies["request_counts"] = dict.fromkeys(_COUNTED, 0)
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            lies["results_url"] = None
        return lies


def _moment(seconds: float | None) -> str | None:
    """RFC 3339, as Anthropic writes it: with microseconds, in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
