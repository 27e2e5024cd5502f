"""A batch as OpenAI writes it: every field present, what is not known yet as null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import Batch, RequestCounts
from nightmail.bill import Bill, summed, total_cost, total_usage
from nightmail.chunk import Chunk
from nightmail.cost_object import bills_object, cost_object, estimate_object, usage_object
from nightmail.part import Part
from nightmail.shard import Shard, ShardState
from nightmail.usage import Usage

_MOST_PARTS = 100
_PLAIN_FIELDS = (
    "id",
    "endpoint",
    "model",
    "input_file_id",
    "completion_window",
    "status",
    "output_file_id",
    "error_file_id",
    "created_at",
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
    "metadata",
)


def to_batch_object(batch: Batch, parts: Sequence[Part], now: int) -> dict[str, Any]:
    """OpenAI's Batch object at Unix second `now`, with all that we know more under `nightmail`: usage
    and cost, and of at most 100 shards and chunks each where they stand.
    """
    bills = _bills(batch, parts)
    shards = [_shard_object(part, now) for part in parts if isinstance(part, Shard)]
    chunks = [_chunk_object(part) for part in parts if isinstance(part, Chunk)]
    details = {
        "progress": _progress(batch, parts),
        **_settings(batch),
        **bills_object(bills),
        "shards": shards[:_MOST_PARTS],
        "stalled_shards": sum(shard["stalled"] is True for shard in shards),
        "chunks": chunks[:_MOST_PARTS],
    }
    return {**_openai_object(batch, parts, total_usage(bills)), "nightmail": details}


def to_list_entry(batch: Batch, parts: Sequence[Part]) -> dict[str, Any]:
    """OpenAI's Batch object as it stands in a list: `nightmail` holds progress and cost alone.

    `parts` may be empty for a batch in a final status, whose own figures are the truth.
    """
    bills = _bills(batch, parts)
    details = {"progress": _progress(batch, parts), **cost_object(total_cost(bills))}
    return {**_openai_object(batch, parts, total_usage(bills)), "nightmail": details}


def _openai_object(batch: Batch, parts: Sequence[Part], usage: Usage) -> dict[str, Any]:
    return {
        "object": "batch",
        **batch.model_dump(mode="json", include=set(_PLAIN_FIELDS)),
        "errors": _errors_object(batch),
        "request_counts": _counts(batch, parts).model_dump(),
        "usage": usage_object(usage),
    }


def _settings(batch: Batch) -> dict[str, Any]:
    """What it was asked to be, as far as that is known, and what it would be."""
    known = {
        "strict": batch.strict,
        "on_deadline": batch.on_deadline,
        "retry_of": batch.retry_of,
        "dry_run": batch.dry_run or None,
        "estimate": estimate_object(batch.estimate) if batch.estimate else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _errors_object(batch: Batch) -> dict[str, Any] | None:
    if not batch.errors:
        return None
    return {"object": "list", "data": [error.model_dump() for error in batch.errors]}


def _counts(batch: Batch, parts: Sequence[Part]) -> RequestCounts:
    """Only booked figures: what a provider reports while it works may still go down."""
    if batch.status.is_final:
        return batch.counts
    return RequestCounts(
        total=batch.counts.total,
        completed=sum(part.completed for part in parts),
        failed=sum(part.failed for part in parts),
    )


def _bills(batch: Batch, parts: Sequence[Part]) -> list[Bill]:
    if batch.status.is_final:
        return batch.bills
    return summed(bill for part in parts for bill in part.bills)


def _progress(batch: Batch, parts: Sequence[Part]) -> dict[str, int]:
    """What the providers say while they work, and what of our own calls is saved."""
    if batch.status.is_final:
        return {"completed": batch.counts.completed, "failed": batch.counts.failed}
    reports = [_reported(part) for part in parts]
    return {
        "completed": sum(completed for completed, _ in reports),
        "failed": sum(failed for _, failed in reports),
    }


def _reported(part: Part) -> tuple[int, int]:
    """Completed and failed lines: never below what is booked, together never above the part's."""
    if not isinstance(part, Shard):
        return part.completed, part.failed
    completed = min(max(part.reported_completed, part.completed), part.lines - part.failed)
    failed = min(max(part.reported_failed, part.failed), part.lines - completed)
    return completed, failed


def _shard_object(shard: Shard, now: int) -> dict[str, Any]:
    return {
        **_part_object(shard),
        "provider_batch_id": shard.provider_batch_id,
        "provider_status": shard.provider_status,
        "last_progress_at": shard.progressed_at,
        "stalled": _is_stalled(shard, now),
    }


def _is_stalled(shard: Shard, now: int) -> bool | None:
    """Whether its provider runs it and has told nothing new for long; None where it tells nothing."""
    if shard.state is not ShardState.SUBMITTED:
        return False
    if shard.patience_seconds is None:
        return None
    latest = max(shard.progressed_at or 0, shard.submitted_at or 0) or now
    return now - latest >= shard.patience_seconds


def _chunk_object(chunk: Chunk) -> dict[str, Any]:
    """In the track `shard` it runs what the shard of this number still owed."""
    return {**_part_object(chunk), "track": chunk.track}


def _part_object(part: Shard | Chunk) -> dict[str, Any]:
    completed, failed = _reported(part)
    return {
        "number": part.number,
        "round": part.round,
        "deployment": part.deployment.name,
        "provider": part.deployment.provider,
        "state": part.state.value,
        "last_refusal": part.last_refusal,
        "lines": part.lines,
        "completed": completed,
        "failed": failed,
    }
