"""OpenRouter's batches."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
from nightmail.part import OWED, Ending
from nightmail.providers.base import BatchProvider
from nightmail.providers.openrouter.batch_results import STATUSES
from nightmail.providers.openrouter.batches import OpenRouterBatches

from tests.unit.adapters.documents import check_request
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import Json, NativeSamples, Told
from tests.unit.native.openai_samples import OPENAI, responded

(_DIRECT,) = (samples for samples in COMPATIBLE if samples.provider == "openrouter")
_ERROR_TYPES = {status: kind for kind, status in STATUSES.items()}
# "BatchObject" in OpenRouter's API description; all are required.
_FIELDS = frozenset(
    {"completion_window", "created_at", "endpoint", "error", "expires_at", "finalized_at", "id"}
    | {"model", "object", "provider", "request_counts", "results", "status", "usage"}
)


class OpenRouterSamples(NativeSamples):
    def preparing(self) -> list[httpx.Response]:
        return []

    def serving(self, *outputs: bytes) -> BatchProvider:
        return self.scripted(*(httpx.Response(200, content=in_batch(lines)) for lines in outputs))[
            0
        ]


def in_batch(lines: bytes) -> bytes:
    """The body of a batch with these results, which stand in its middle."""
    results = b",\n".join(line for line in lines.split(b"\n") if line.strip())
    return b'{"id":"batch-1","results":[' + results + b'],"status":"completed"}'


def _batch(told: Told) -> Json:
    status = told.word or (told.ending.value if told.ending else "in_progress")
    failed = told.failed + (told.left if told.ending else 0)
    return {
        "completion_window": "24h",
        "created_at": told.created,
        "endpoint": "/v1/chat/completions",
        "error": None,
        "expires_at": told.created + 24 * 3600,
        "finalized_at": told.created + 60 if told.ending else None,
        "id": told.identity,
        "model": "z-ai/glm-5.3-flash",
        "object": "batch",
        "provider": "Z.AI",
        "request_counts": {"total": told.lines, "completed": told.completed, "failed": failed},
        "results": [_result("any")] if told.ending and told.has_results else None,
        "status": status,
        "usage": None,
    }


def _result(identity: str, response: Json | None = None, error: Json | None = None) -> Json:
    return {"id": "batch_req_1", "custom_id": identity, "response": response, "error": error}


def _refused(identity: str, status: int, words: str) -> Json:
    kind = _ERROR_TYPES.get(status)
    if kind is None:
        return responded(identity, status, json.loads(_DIRECT.error(status, words)))
    told = {"message": words, "type": "invalid_request_error", "param": None, "error_type": kind}
    return _result(identity, error=told)


def _unanswered(identity: str, ending: Ending) -> Json:
    told = OWED[ending]
    return _result(
        identity, error={"message": told["message"], "type": told["code"], "param": None}
    )


def _check_lines(lines: Sequence[Json]) -> None:
    """No description of its requests is at hand; they are OpenAI's."""
    for line in lines:
        assert line.keys() == {"custom_id", "body"}
        check_request("openai.trimmed.openapi.yaml", "/chat/completions", line["body"])


def _check_batch(batch: Json) -> None:
    assert batch.keys() == _FIELDS


OPENROUTER = OpenRouterSamples(
    direct=_DIRECT,
    open=lambda deployment, http, key: OpenRouterBatches(
        deployment, http, key, model=deployment.model
    ),
    batches="/batches",
    batch=_batch,
    newest_first=True,
    words=OPENAI.words,
    request_in=lambda line: dict(line["body"]),
    answered=lambda identity, answer: responded(identity, 200, json.loads(answer)),
    refused=_refused,
    unanswered=_unanswered,
    outputs=1,
    check_lines=_check_lines,
    check_batch=_check_batch,
    lacks=frozenset({"an image by a data URL", "an image by a URL"}),
    prepared="",
    cancels=False,
    counts_while_it_runs=False,
    in_files=False,
    downloads=False,
    garbage=(b"5", b"null", b"[]", b'"x"'),
)
