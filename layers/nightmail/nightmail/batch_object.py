"""A batch as OpenAI writes it: every field present, what is not known yet as null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import Batch, RequestCounts, Usage
from nightmail.shard import Shard

_MOST_SHARDS = 100
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


def to_batch_object(batch: Batch, shards: Sequence[Shard]) -> dict[str, Any]:
    """OpenAI's Batch object, with the details of at most 100 shards under `nightmail`."""
    entry = to_list_entry(batch, shards)
    entry["nightmail"]["shards"] = [_shard_object(shard) for shard in shards[:_MOST_SHARDS]]
    return entry


def to_list_entry(batch: Batch, shards: Sequence[Shard]) -> dict[str, Any]:
    """OpenAI's Batch object as it stands in a list: `nightmail` holds the progress alone.

    `shards` may be empty for a batch in a final status, whose own figures are the truth.
    """
    fields = batch.model_dump(mode="json", include=set(_PLAIN_FIELDS))
    return {
        "object": "batch",
        **fields,
        "errors": _errors_object(batch),
        "request_counts": _counts(batch, shards).model_dump(),
        "usage": _usage_object(_usage(batch, shards)),
        "nightmail": {"progress": _progress(batch, shards)},
    }


def _errors_object(batch: Batch) -> dict[str, Any] | None:
    if not batch.errors:
        return None
    return {"object": "list", "data": [error.model_dump() for error in batch.errors]}


def _counts(batch: Batch, shards: Sequence[Shard]) -> RequestCounts:
    """Only booked figures: what a provider reports while it works may still go down."""
    if batch.status.is_final:
        return batch.counts
    return RequestCounts(
        total=batch.counts.total,
        completed=sum(shard.completed for shard in shards),
        failed=sum(shard.failed for shard in shards),
    )


def _usage(batch: Batch, shards: Sequence[Shard]) -> Usage:
    if batch.status.is_final:
        return batch.usage
    return sum((shard.usage for shard in shards), Usage())


def _usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _progress(batch: Batch, shards: Sequence[Shard]) -> dict[str, int]:
    """What the providers say while they work."""
    if batch.status.is_final:
        return {"completed": batch.counts.completed, "failed": batch.counts.failed}
    reports = [_reported(shard) for shard in shards]
    return {
        "completed": sum(completed for completed, _ in reports),
        "failed": sum(failed for _, failed in reports),
    }


def _reported(shard: Shard) -> tuple[int, int]:
    """Completed and failed lines: never below what is booked, together never above the shard's."""
    completed = min(max(shard.reported_completed, shard.completed), shard.lines - shard.failed)
    failed = min(max(shard.reported_failed, shard.failed), shard.lines - completed)
    return completed, failed


def _shard_object(shard: Shard) -> dict[str, Any]:
    completed, failed = _reported(shard)
    return {
        "number": shard.number,
        "deployment": shard.deployment.name,
        "provider": shard.deployment.provider,
        "provider_batch_id": shard.provider_batch_id,
        "provider_status": shard.provider_status,
        "state": shard.state.value,
        "last_refusal": shard.last_refusal,
        "lines": shard.lines,
        "completed": completed,
        "failed": failed,
    }
