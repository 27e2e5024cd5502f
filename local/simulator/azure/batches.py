"""A batch as the versions of Azure's API with a date show it, seen to differ from OpenAI's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from local.simulator.openai_batches import OpenAIBatch

ENDPOINTS = ["/chat/completions", "/v1/responses"]
_COUNTS = ("total", "completed", "failed")


@dataclass(kw_only=True)
class DatedAzureBatch(OpenAIBatch):
    """Words are capitalised, times are text, counts are null until lines are done."""

    names_results: ClassVar[bool] = False
    wrong_url: ClassVar[str] = "url_mismatch"
    keeps_empty_files: ClassVar[bool] = True

    def _truth(self) -> dict[str, Any]:
        truth = super()._truth()
        times = {name: _text(truth[name]) for name in truth if name.endswith("_at")}
        counts = {name: getattr(self.counts, name) or None for name in _COUNTS}
        status = {"status": self.status.title(), "endpoint": None}
        return {**truth, **times, **status, "request_counts": counts}


def _text(moment: int | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
