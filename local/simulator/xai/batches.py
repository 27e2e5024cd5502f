"""A batch as xAI shows it: https://docs.x.ai/developers/advanced-api-usage/batch-api."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any

from local.simulator.batch_faults import LaggingCounts
from local.simulator.openai_batches import OpenAIBatch


@dataclass(slots=True, kw_only=True)
class XaiBatch(OpenAIBatch):
    """It has no status. One that fails was cancelled by xAI, and says why.

    What becomes of it at its expiry is not documented: its lines stay pending until it is cancelled.
    """

    name: str

    def cancel(self) -> None:
        if self.status == "expired":
            self.moments["cancelling"] = time()
        # Without a name, for `slots` make another class of this one.
        OpenAIBatch.cancel(self)

    def _truth(self) -> dict[str, Any]:
        cancelled = self.moments.get("failed", self.moments.get("cancelling"))
        expired = self.moments.get("expired", self.created + self.window_seconds)
        return {
            "batch_id": self.id,
            "name": self.name,
            "create_time": _moment(self.created),
            "expire_time": _moment(expired),
            "create_api_key_id": f"key-{self.key[-4:]}",
            "cancel_time": None if cancelled is None else _moment(cancelled),
            "cancel_by_xai_message": self._reason(),
            "input_file_id": self.input_file_id,
            "state": self._state(),
        }

    def _reason(self) -> str | None:
        if not self.errors:
            return None
        told = "; ".join(str(error["message"]) for error in self.errors)
        return f"JSONL file validation failed: {told}"

    def _state(self) -> dict[str, int]:
        counts = self.counts
        left = 0 if self.status == "failed" else counts.left
        cancelled = left if self.has_ended and "cancelling" in self.moments else 0
        return {
            "num_requests": counts.total,
            "num_pending": left - cancelled,
            "num_success": counts.completed,
            "num_error": counts.failed,
            "num_cancelled": cancelled,
        }

    def _lies(self) -> dict[str, Any]:
        """Counts that lag are those of finished lines: by the others it is seen to have ended."""
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            return {"state": {**self._state(), "num_success": 0, "num_error": 0}}
        return {}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
