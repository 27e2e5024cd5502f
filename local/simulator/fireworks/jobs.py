"""Datasets, which are files here, and batch inference jobs as Fireworks shows them: https://docs.fireworks.ai/api-reference."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.simulator.batch_faults import LaggingCounts, LateOutput, OddStatus
from local.simulator.batches import Batch
from local.simulator.files import File

_STATES = {
    "validating": "VALIDATING",
    "in_progress": "RUNNING",
    "finalizing": "WRITING_RESULTS",
    "cancelling": "CANCELLING",
}


def dataset_object(name: str, files: Iterable[File]) -> dict[str, Any]:
    """It is read once it has something to be read."""
    return {
        "name": name,
        "displayName": "",
        "format": "FORMAT_UNSPECIFIED",
        "state": "READY" if any(file.size for file in files) else "UPLOADING",
        "status": {"code": "OK", "message": ""},
        "userUploaded": {},
    }


@dataclass(slots=True, kw_only=True)
class FireworksJob(Batch):
    """Its id is its name: `accounts/mine/batchInferenceJobs/abc`."""

    dataset: File
    own_output: str = field(default_factory=lambda: f"bij-{secrets.token_hex(4)}")

    @property
    def output(self) -> str:
        """The name of the dataset of its results, which are there when it has ended."""
        account, _, _ = self.id.rpartition("/batchInferenceJobs/")
        return f"{account}/datasets/{self.own_output}"

    def _truth(self) -> dict[str, Any]:
        counts = self.counts
        failed = self.status == "failed"
        message = "; ".join(str(error["message"]) for error in self.errors)
        return {
            "name": self.id,
            "displayName": "",
            "createTime": datetime.fromtimestamp(self.created, UTC).isoformat(),
            "state": f"JOB_STATE_{_STATES.get(self.status, self.status.upper())}",
            "status": {"code": "INVALID_ARGUMENT" if failed else "OK", "message": message},
            "model": self.model,
            "inputDatasetId": self.dataset.filename,
            "outputDatasetId": self.output,
            "jobProgress": {
                "percent": 100 if self.has_ended else 0,
                "totalInputRequests": counts.total,
                "totalProcessedRequests": counts.completed + counts.failed,
                "successfullyProcessedRequests": counts.completed,
                "failedRequests": counts.failed,
                "inputTokens": self.usage.input,
                "outputTokens": self.usage.output,
            },
        }

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["state"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies["jobProgress"] = None
        if self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            lies["outputDatasetId"] = ""
        return lies
