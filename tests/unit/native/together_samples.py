"""Together's batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from nightmail.part import OWED
from nightmail.providers.base import Phase
from nightmail.providers.openai_protocol.batches import OpenAIBatches
from nightmail.providers.together.card import BATCHES

from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import INPUT_FILE, TAG, Json, NativeSamples, Told

_SPEC = "together.trimmed.openapi.yaml"
(_DIRECT,) = (samples for samples in COMPATIBLE if samples.provider == "together_ai")


def _batch(told: Told) -> Json:
    batch = {
        "id": told.identity,
        "user_id": "user_1",
        "input_file_id": INPUT_FILE if told.tag == TAG else f"{told.tag.batch_id}-file",
        "file_size_bytes": 1048576,
        "status": told.word or (told.ending.value.upper() if told.ending else "IN_PROGRESS"),
        "created_at": datetime.fromtimestamp(told.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "endpoint": "/v1/chat/completions",
        "progress": 100.0 * (told.completed + told.failed) / (told.lines or 1),
        "model_id": "own-model",
    }
    return {**batch, "output_file_id": "file-out"} if told.ending and told.has_results else batch


def _responded(identity: str, status: int, body: Json) -> Json:
    return {"custom_id": identity, "response": {"status_code": status, "body": body}}


def _check_lines(lines: Sequence[Json]) -> None:
    """The description knows the requests in them, and not the lines."""
    for line in lines:
        assert line.keys() == {"custom_id", "body"}
        assert len(line["custom_id"]) <= 64
        check_request(_SPEC, "/chat/completions", line["body"])


TOGETHER = NativeSamples(
    direct=_DIRECT,
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, BATCHES, model=deployment.model
    ),
    batches="/batches",
    batch=_batch,
    words={
        "VALIDATING": Phase.RUNNING,
        "IN_PROGRESS": Phase.RUNNING,
        "COMPLETED": Phase.ENDED,
        "FAILED": Phase.ENDED,
        "EXPIRED": Phase.ENDED,
        "CANCELLED": Phase.ENDED,
    },
    request_in=lambda line: dict(line["body"]),
    answered=lambda identity, answer: _responded(identity, 200, json.loads(answer)),
    refused=lambda identity, status, words: _responded(
        identity, status, json.loads(_DIRECT.error(status, words))
    ),
    unanswered=lambda identity, ending: {"custom_id": identity, "error": dict(OWED[ending])},
    outputs=2,
    check_lines=_check_lines,
    check_batch=lambda batch: check_schema(_SPEC, "BatchJob", batch),
    counts=False,
    embeds=False,
    has_pages=False,
)
