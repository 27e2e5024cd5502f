"""A batch as Together shows it: https://docs.together.ai/reference/batch-get."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from local.simulator.batch_faults import EmptyErrorFile, LaggingCounts, LateOutput, OddStatus
from local.simulator.openai_batches import OpenAIBatch

_RUNNING = frozenset({"in_progress", "finalizing", "cancelling"})


@dataclass(slots=True, kw_only=True)
class TogetherBatch(OpenAIBatch):
    """It has no metadata, and tells how far it is in percent."""

    lines_have_routes: ClassVar[bool] = False
    is_of_a_key: ClassVar[bool] = True
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def _truth(self) -> dict[str, Any]:
        told = {
            "id": self.id,
            "user_id": "user_simulator",
            "input_file_id": self.input_file_id,
            "file_size_bytes": self.input_file.size if self.input_file else 0,
            "status": "IN_PROGRESS" if self.status in _RUNNING else self.status.upper(),
            "job_deadline": _date(self.created + self.window_seconds),
            "created_at": _date(self.created),
            "endpoint": self.endpoint,
            "progress": 100.0 * self.executed / (self.counts.total or 1),
            "model_id": self.model,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "error": "; ".join(str(error["message"]) for error in self.errors) or None,
            "completed_at": _date(self.moments[self.status]) if self.has_ended else None,
        }
        return {name: value for name, value in told.items() if value is not None}

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies["progress"] = 0.0
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            lies["output_file_id"] = ""
        if self.faults.get(EmptyErrorFile) and self.error_file_id is None:
            lies["error_file_id"] = ""
        return lies


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
