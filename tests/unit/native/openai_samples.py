"""OpenAI's batches."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nightmail.part import OWED
from nightmail.providers.base import Limits, Phase
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.batches import OpenAIBatches

from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.adapters.openai_samples import OPENAI as DIRECT
from tests.unit.native.cases import Json, NativeSamples, Told

# What others resemble is OpenAI's API, and not its folder, which may be gone.
_API = BatchApi(limits=Limits(lines=50_000, bytes=200 * 1024 * 1024), newest_first=True)
_WORDS = {
    "validating": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "finalizing": Phase.RUNNING,
    "cancelling": Phase.RUNNING,
    "completed": Phase.ENDED,
    "failed": Phase.ENDED,
    "expired": Phase.ENDED,
    "cancelled": Phase.ENDED,
}


def openai_batch(told: Told) -> Json:
    status = told.word or (told.ending.value if told.ending else "in_progress")
    has_results = bool(told.ending and told.has_results)
    return {
        "id": told.identity,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": status,
        "errors": None,
        "output_file_id": "file-out" if has_results else None,
        "error_file_id": None,
        "created_at": told.created,
        "request_counts": {
            "total": told.lines,
            "completed": told.completed,
            "failed": told.failed + (told.left if told.ending else 0),
        },
        "metadata": {
            "nightmail_batch": told.tag.batch_id,
            "nightmail_shard": str(told.tag.shard),
            "nightmail_round": str(told.tag.round),
            "nightmail_attempt": str(told.tag.attempt),
        },
    }


def _line(identity: str, response: Json | None, error: Json | None = None) -> Json:
    return {"id": f"req-{identity}", "custom_id": identity, "response": response, "error": error}


def responded(identity: str, status: int, body: Json) -> Json:
    return _line(identity, {"status_code": status, "request_id": "req-1", "body": body})


def _refused(identity: str, status: int, words: str) -> Json:
    return responded(identity, status, json.loads(DIRECT.error(status, words)))


def _check_lines(lines: Sequence[Json]) -> None:
    """The description knows the requests in them, and not the lines."""
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        assert line["method"] == "POST"
        check_request("openai.trimmed.openapi.yaml", "/chat/completions", line["body"])


def _check_batch(batch: Json) -> None:
    check_schema("openai.relaxed.openapi.yaml", "Batch", batch)


OPENAI = NativeSamples(
    direct=DIRECT,
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, _API, model=deployment.model
    ),
    batches="/batches",
    batch=openai_batch,
    newest_first=True,
    words=_WORDS,
    request_in=lambda line: dict(line["body"]),
    answered=lambda identity, answer: responded(identity, 200, json.loads(answer)),
    refused=_refused,
    unanswered=lambda identity, ending: _line(identity, None, dict(OWED[ending])),
    outputs=2,
    check_lines=_check_lines,
    check_batch=_check_batch,
)
