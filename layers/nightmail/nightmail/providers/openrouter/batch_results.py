"""What OpenRouter tells of a batch and of its requests, as our values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nightmail.providers.base import Progress
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol import batch_results
from nightmail.providers.openai_protocol.batch_api import BatchApi

# OpenRouter, "Errors and debugging": the type of an error, whatever API was asked, and its status.
STATUSES: Mapping[str, int] = {
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "invalid_image": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "unsupported_image_format": 400,
    "image_not_found": 400,
    "image_download_failed": 400,
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "content_policy_violation": 403,
    "refusal": 403,
    "not_found": 404,
    "precondition_failed": 412,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit_exceeded": 429,
    "server": 500,
    "unmapped": 500,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "timeout": 504,
}


def to_progress(batch: JsonObject, api: BatchApi) -> Progress:
    """Results are there when it has ended; they are read where the batch is."""
    progress = batch_results.to_progress(batch, api)
    identity, has_ended = batch.get("id"), progress.ending is not None
    is_readable = has_ended and batch.get("results") and isinstance(identity, str)
    return replace(progress, output_ids=[str(identity)] if is_readable else [])


def lines_of(batch: JsonObject) -> int:
    """How many requests it was made of, or 0 where that is not told yet."""
    total = mapping_of(batch.get("request_counts")).get("total")
    return total if isinstance(total, int) else 0


def to_outcome(content: bytes, reading: Reading) -> Found | None:
    """One result, or None for garbage."""
    return batch_results.outcome_of(_as_openai(mapping_of(read_json(content))), content, reading)


def _as_openai(result: JsonObject) -> JsonObject:
    """A result in OpenAI's form: an error with a known type is a refusal with its status."""
    error = mapping_of(result.get("error"))
    kind = error.get("error_type") or error.get("type")
    status = STATUSES.get(str(kind))
    if status is None:
        return {**result, "error": {**error, "code": kind} if error else result.get("error")}
    body = {"error": {**error, "code": kind}}
    return {**result, "error": None, "response": {"status_code": status, "body": body}}
