"""A model invocation job as Bedrock shows it: botocore's service model `bedrock`."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.simulator.batch_faults import LaggingCounts, LateOutput, OddStatus
from local.simulator.batches import Batch

ACCOUNT, REGION = "123456789012", "us-east-1"
_ID_LETTERS = string.ascii_lowercase + string.digits
_STATUSES = {
    "validating": "Validating",
    "in_progress": "InProgress",
    "finalizing": "InProgress",
    "completed": "Completed",
    "failed": "Failed",
    "cancelling": "Stopping",
    "cancelled": "Stopped",
}
_NO_COUNTS = dict.fromkeys(
    ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount"), 0
)


def new_job_id() -> str:
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(12))


@dataclass(slots=True, kw_only=True)
class Job(Batch):
    """`asked` is the request that it was made of; `source` its input, as it lay in the bucket then."""

    id: str = field(default_factory=new_job_id)
    asked: dict[str, Any]
    source: Path | None
    delivery: Callable[[], None] | None = None
    """Brings the results to their bucket, once."""

    @property
    def arn(self) -> str:
        return f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/{self.id}"

    @property
    def output_uri(self) -> str:
        """The folder of its results."""
        folder: str = self.asked["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
        return f"{folder.rstrip('/')}/{self.id}"

    @property
    def input_name(self) -> str:
        uri: str = self.asked["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        return uri.rpartition("/")[2]

    def deliver_in_time(self) -> None:
        """Unless the results are to come late."""
        if self.delivery and not self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            self.delivery()
            self.delivery = None

    def summary(self) -> dict[str, Any]:
        """As a list shows it."""
        return {name: value for name, value in self.to_object().items() if name not in _NO_COUNTS}

    def _truth(self) -> dict[str, Any]:
        told = {
            **self.asked,
            "jobArn": self.arn,
            "status": self._status(),
            "submitTime": _moment(self.created),
            "lastModifiedTime": _moment(self.moments.get(self.status, self.created)),
            "endTime": _moment(self.moments[self.status]) if self.has_ended else None,
            "jobExpirationTime": _moment(self.created + self.window_seconds),
            "message": self.errors[0]["message"] if self.errors else None,
            **(self._counts() if self.counts.total else {}),
        }
        return {name: value for name, value in told.items() if value is not None}

    def _status(self) -> str:
        if self.status == "expired":
            return "PartiallyCompleted" if self.executed else "Expired"
        return _STATUSES[self.status]

    def _counts(self) -> dict[str, int]:
        counts = self.counts
        return {
            "totalRecordCount": counts.total,
            "processedRecordCount": counts.completed + counts.failed,
            "successRecordCount": counts.completed,
            "errorRecordCount": counts.failed,
        }

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies |= _NO_COUNTS
        return lies


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
