"""A batch as Gemini shows it, a long-running operation: https://ai.google.dev/api/batch-api."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.simulator.batch_faults import LaggingCounts, LateOutput, OddStatus
from local.simulator.batches import Batch
from local.simulator.dialect import Json
from local.simulator.files import File

_TYPES = "type.googleapis.com/google.ai.generativelanguage.v1main"
_STATES = {
    "validating": "PENDING",
    "in_progress": "RUNNING",
    "finalizing": "RUNNING",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelling": "RUNNING",
    "cancelled": "CANCELLED",
}
# google.rpc.Code's numbers.
CANCELLED: Json = {"code": 1, "message": "The operation was cancelled."}
_ERRORS: dict[str, Json] = {
    "cancelled": CANCELLED,
    "expired": {"code": 4, "message": "The batch was not finished within 48 hours."},
}
_INVALID_ARGUMENT = 3


def new_name() -> str:
    return f"batches/{secrets.token_hex(16)}"


@dataclass(slots=True, kw_only=True)
class GeminiBatch(Batch):
    """Its id is its name. `results` is null until it has ended, and for ever where it expires."""

    id: str = field(default_factory=new_name)
    display_name: str
    input_file: File
    results: File | None = None

    def to_object(self) -> dict[str, Any]:
        """What is null is left out."""
        shown = Batch.to_object(self)
        return {name: value for name, value in shown.items() if value is not None}

    def _truth(self) -> dict[str, Any]:
        return {
            "name": self.id,
            "metadata": self._metadata(),
            "done": self.has_ended or None,
            "error": self._error(),
            "response": self._output("GenerateContentBatchOutput")
            if self.status == "completed"
            else None,
        }

    def _metadata(self) -> Json:
        ended = self.moments[self.status] if self.has_ended else None
        metadata = {
            "@type": f"{_TYPES}.GenerateContentBatch",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "inputConfig": {"fileName": name_of(self.input_file)},
            "output": self._output(),
            "createTime": to_text(self.created),
            "endTime": None if ended is None else to_text(ended),
            "updateTime": to_text(max([self.created, *self.moments.values()])),
            "batchStats": self._stats(),
            "state": f"BATCH_STATE_{_STATES[self.status]}",
            "name": self.id,
        }
        return {name: value for name, value in metadata.items() if value is not None}

    def _stats(self) -> Json:
        """Integers of 64 bits are strings, and what is 0 is left out."""
        counts = self.counts
        told = {
            "requestCount": counts.total,
            "successfulRequestCount": counts.completed,
            "failedRequestCount": counts.failed,
            "pendingRequestCount": counts.left,
        }
        return {name: str(value) for name, value in told.items() if value}

    def _output(self, kind: str | None = None) -> Json | None:
        if self.results is None:
            return None
        typed = {"@type": f"{_TYPES}.{kind}"} if kind else {}
        return {**typed, "responsesFile": name_of(self.results)}

    def _error(self) -> Json | None:
        if self.errors:
            return {"code": _INVALID_ARGUMENT, "message": str(self.errors[0]["message"])}
        return _ERRORS.get(self.status)

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        metadata = self._metadata()
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            metadata["state"] = odd.word
            lies |= dict.fromkeys(("done", "error", "response"))
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            metadata["batchStats"] = {}
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            metadata.pop("output", None)
            lies["response"] = None
        return {**lies, "metadata": metadata}


def name_of(file: File) -> str:
    return f"files/{file.id}"


def to_text(seconds: float) -> str:
    """RFC 3339 with nanoseconds, as Google writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
