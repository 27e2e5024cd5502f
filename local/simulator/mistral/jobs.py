"""A batch job as Mistral shows it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.simulator.batch_faults import EmptyErrorFile, LaggingCounts, LateOutput, OddStatus
from local.simulator.openai_batches import OpenAIBatch

_STATUSES = {
    "validating": "QUEUED",
    "in_progress": "RUNNING",
    "finalizing": "RUNNING",
    "completed": "SUCCESS",
    "failed": "FAILED",
    "expired": "TIMEOUT_EXCEEDED",
    "cancelling": "CANCELLATION_REQUESTED",
    "cancelled": "CANCELLED",
}
_COUNTS = ("total_requests", "completed_requests", "succeeded_requests", "failed_requests")


@dataclass(slots=True, kw_only=True)
class MistralJob(OpenAIBatch):
    lines_have_routes: ClassVar[bool] = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def _truth(self) -> dict[str, Any]:
        counts = self.counts
        ended = self.moments.get(self.status) if self.has_ended else None
        started = self.moments.get("in_progress")
        return {
            "id": self.id,
            "object": "batch",
            "input_files": [self.input_file_id],
            "metadata": self.metadata,
            "endpoint": self.endpoint,
            "model": self.model,
            "output_file": self.output_file_id,
            "error_file": self.error_file_id,
            "errors": [{"message": str(each["message"]), "count": 1} for each in self.errors],
            "status": _STATUSES[self.status],
            "created_at": int(self.created),
            "started_at": None if started is None else int(started),
            "completed_at": None if ended is None else int(ended),
            "total_requests": counts.total,
            "completed_requests": counts.completed + counts.failed,
            "succeeded_requests": counts.completed,
            "failed_requests": counts.failed,
        }

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies |= dict.fromkeys(_COUNTS, 0)
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            lies["output_file"] = None
        if self.faults.get(EmptyErrorFile) and self.error_file_id is None:
            lies["error_file"] = ""
        return lies
