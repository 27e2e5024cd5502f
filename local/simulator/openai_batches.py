"""A batch as OpenAI shows it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.simulator.batch_faults import EmptyErrorFile, LaggingCounts, LateOutput, OddStatus
from local.simulator.batches import Batch
from local.simulator.billing import Tokens
from local.simulator.files import File

_STAMPED = (
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
)


def new_batch_id() -> str:
    return f"batch_{secrets.token_hex(16)}"


@dataclass(slots=True, kw_only=True)
class OpenAIBatch(Batch):
    lines_have_routes: ClassVar[bool] = True
    names_results: ClassVar[bool] = True
    """Whether each line of its results has an id."""
    wrong_url: ClassVar[str] = "invalid_url"
    """What a line is told whose URL is not the batch's."""
    keeps_empty_files: ClassVar[bool] = False
    is_of_a_key: ClassVar[bool] = False
    """Whether the key that made it alone may see it; else all of the organization may."""

    id: str = field(default_factory=new_batch_id)
    endpoint: str
    input_file_id: str
    input_file: File | None
    metadata: dict[str, str] | None
    output_seconds: int | None
    output_file_id: str | None = None
    error_file_id: str | None = None

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
            **{f"{status}_at": self._moment(status) for status in _STAMPED},
            "request_counts": {
                "total": self.counts.total,
                "completed": self.counts.completed,
                "failed": self.counts.failed,
            },
            "usage": _usage(self.usage),
            "metadata": self.metadata,
        }

    def _moment(self, status: str) -> int | None:
        moment = self.moments.get(status)
        return None if moment is None else int(moment)

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies["request_counts"] = {"total": 0, "completed": 0, "failed": 0}
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            lies["output_file_id"] = None
        if self.faults.get(EmptyErrorFile) and self.error_file_id is None:
            lies["error_file_id"] = ""
        return lies


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
