"""What Anthropic tells of a batch, and of a request in it, in OpenAI's form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nightmail.endpoints import CHAT
from nightmail.library.anthropic_ids import carried_in
from nightmail.library.backend import Body
from nightmail.library.objects import Batch
from nightmail.outcome import Outcome
from nightmail.providers.anthropic.batch_results import lines_of, to_progress

WINDOW = "24h"  # Anthropic's page on batch processing: what is not done by then expires
_ENDINGS = ("completed", "expired", "cancelled")


def to_batch(entry: Body) -> Batch:
    """What Anthropic does not keep, the input and metadata, is null. The results are one file, which has
    the batch's id.
    """
    progress = to_progress(entry)
    cancelled_at, ended_at = _unix(entry.get("cancel_initiated_at")), _unix(entry.get("ended_at"))
    running = "in_progress" if cancelled_at is None else "cancelling"
    status = progress.ending.value if progress.ending else running
    created_at = _unix(entry.get("created_at"))
    return Batch(
        {
            "id": entry.get("id"),
            "object": "batch",
            "endpoint": CHAT,
            "errors": None,
            "input_file_id": None,
            "completion_window": WINDOW,
            "status": status,
            "output_file_id": next(iter(progress.output_ids), None),
            "error_file_id": None,
            "created_at": created_at,
            "in_progress_at": created_at,
            "expires_at": _unix(entry.get("expires_at")),
            "cancelling_at": cancelled_at,
            **{f"{ending}_at": ended_at if status == ending else None for ending in _ENDINGS},
            "request_counts": {
                "total": lines_of(entry),
                "completed": progress.completed,
                "failed": progress.failed,
            },
            "metadata": None,
        }
    )


def to_line(batch_id: str, identity: str, outcome: Outcome) -> Body:
    """A line as in OpenAI's output and error files. Without a public name a model has the provider's."""
    carried = carried_in(identity)
    response = outcome.response
    if response and outcome.details and "model" in outcome.details:
        body = {**response["body"], "model": outcome.details["model"]}
        response = {**response, "body": body}
    return {
        "id": f"{batch_id}-{identity}",
        "custom_id": carried.custom_id,
        "response": response,
        "error": outcome.error,
    }


def _unix(moment: Any) -> int | None:
    """Seconds; a moment there is written as in RFC 3339."""
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None
