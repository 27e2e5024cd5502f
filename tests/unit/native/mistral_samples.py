"""Mistral's batch jobs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from nightmail.part import Ending
from nightmail.providers.base import Phase
from nightmail.providers.mistral.card import BATCHES
from nightmail.providers.openai_protocol.batches import OpenAIBatches

from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import Json, Told
from tests.unit.native.openai_samples import OPENAI, openai_batch, responded

_SPEC = "mistral.trimmed.openapi.yaml"
_DIRECT = next(samples for samples in COMPATIBLE if samples.provider == "mistral")
_FILE = "6f0f7d0a-6f2b-4f6e-9a0e-2f8a1f0c5b7d"
_STATUSES = {
    Ending.COMPLETED: "SUCCESS",
    Ending.FAILED: "FAILED",
    Ending.EXPIRED: "TIMEOUT_EXCEEDED",
    Ending.CANCELLED: "CANCELLED",
    None: "RUNNING",
}


def _batch(told: Told) -> Json:
    has_results = bool(told.ending and told.has_results)
    failed = told.failed + (told.left if told.ending else 0)
    return {
        "id": told.identity,
        "object": "batch",
        "input_files": [_FILE],
        "metadata": openai_batch(told)["metadata"],
        "endpoint": "/v1/chat/completions",
        "model": "own-model",
        "output_file": _FILE if has_results else None,
        "error_file": None,
        "errors": [],
        "status": told.word or _STATUSES.get(told.ending, "FAILED"),
        "created_at": told.created,
        "total_requests": told.lines,
        "completed_requests": told.completed + failed,
        "succeeded_requests": told.completed,
        "failed_requests": failed,
    }


def _check_lines(lines: Sequence[Json]) -> None:
    for line in lines:
        assert line.keys() == {"custom_id", "body"}
        check_schema(_SPEC, "BatchRequest", line)
        check_request(_SPEC, "/v1/chat/completions", line["body"])


MISTRAL = replace(
    OPENAI,
    direct=_DIRECT,
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, BATCHES, model=deployment.model
    ),
    batches="/batch/jobs",
    batch=_batch,
    words={
        "QUEUED": Phase.RUNNING,
        "RUNNING": Phase.RUNNING,
        "CANCELLATION_REQUESTED": Phase.RUNNING,
        "SUCCESS": Phase.ENDED,
        "FAILED": Phase.ENDED,
        "TIMEOUT_EXCEEDED": Phase.ENDED,
        "CANCELLED": Phase.ENDED,
    },
    refused=lambda identity, status, words: responded(
        identity, status, json.loads(_DIRECT.error(status, words))
    ),
    check_lines=_check_lines,
    check_batch=lambda batch: check_schema(_SPEC, "BatchJobOut", batch),
    numbers_pages=True,
)
