"""Gemini's batches: long-running operations, and files that are uploaded in two calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from nightmail.part import Ending
from nightmail.providers import native_lists
from nightmail.providers.base import Phase
from nightmail.providers.gemini.batches import GeminiBatches

from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.adapters.gemini_samples import GEMINI as DIRECT
from tests.unit.adapters.gemini_samples import MODEL
from tests.unit.native.cases import Json, NativeSamples, Told

_SPEC = "gemini-native.openapi.json"
_GENERATE = "/v1beta/models/{model}:generateContent"
_ENDED = {
    Ending.COMPLETED: "SUCCEEDED",
    Ending.FAILED: "FAILED",
    Ending.EXPIRED: "EXPIRED",
    Ending.CANCELLED: "CANCELLED",
}
_RUNNING = ("QUEUED", "PENDING", "RUNNING", "CANCELLING", "PAUSED", "UPDATING")
_WORDS = dict.fromkeys(_RUNNING, Phase.RUNNING) | dict.fromkeys(
    [*_ENDED.values(), "PARTIALLY_SUCCEEDED"], Phase.ENDED
)
_RESULTS = "files/batch-abc"


class GeminiSamples(NativeSamples):
    def identity(self, name: str) -> str:
        return _name(name)

    def preparing(self) -> list[httpx.Response]:
        """The place that is told to upload to is another server's: the key must not go there."""
        place = (
            "https://elsewhere.example/upload/v1beta/files?upload_id=u1&upload_protocol=resumable"
        )
        return [
            httpx.Response(200, headers={"x-goog-upload-url": place}),
            httpx.Response(200, json={"file": {"name": self.prepared, "state": "ACTIVE"}}),
        ]

    def started(self, identity: object) -> Json:
        return {"name": _name(identity) if isinstance(identity, str) and identity else identity}

    def is_submission(self, request: httpx.Request) -> bool:
        path = self.path(f"/v1beta/models/{MODEL}:batchGenerateContent")
        return request.method == "POST" and request.url.path == path

    @property
    def submission(self) -> Json:
        return {"method": "POST", "path": "/models/*:batchGenerateContent"}

    def batch_path(self, identity: str) -> str:
        return f"/v1beta/{identity}"

    def cancel_path(self, identity: str) -> str:
        return f"{self.batch_path(identity)}:cancel"

    def page(self, *batches: Told, has_more: bool = False) -> httpx.Response:
        page: Json = {"operations": [self.batch(told) for told in batches]}
        if has_more:
            page["nextPageToken"] = _token(batches[-1].identity)
        return httpx.Response(200, json=page)

    def queries(self, last: str) -> list[Json]:
        size = {"pageSize": str(native_lists.PAGE)}
        return [size, {**size, "pageToken": _token(last)}]


def _name(identity: str) -> str:
    return f"batches/{identity}"


def _token(last: str) -> str:
    return f"behind {last}"


def _batch(told: Told) -> Json:
    """The published description has these words; the service has `BATCH_STATE_` for `JOB_STATE_`."""
    moment = datetime.fromtimestamp(told.created, UTC).isoformat().replace("+00:00", "Z")
    word = "RUNNING" if told.ending is None else _ENDED.get(told.ending, "FAILED")
    tag = told.tag
    metadata: Json = {
        "model": f"models/{MODEL}",
        "displayName": f"{tag.batch_id}-{tag.shard}-{tag.round}-{tag.attempt}",
        "state": told.word or f"JOB_STATE_{word}",
        "createTime": moment,
        "batchStats": _stats(told),
    }
    operation: Json = {"name": _name(told.identity), "metadata": metadata}
    if told.ending is None:
        return operation
    operation["done"] = True
    if told.has_results and told.ending is Ending.COMPLETED:
        operation["response"] = {"responsesFile": _RESULTS}
    elif told.has_results and told.ending is Ending.CANCELLED:
        metadata["output"] = {"responsesFile": _RESULTS}
    return operation


def _stats(told: Told) -> Json:
    left = told.left if told.ending is None else 0
    counted = {
        "requestCount": told.lines,
        "successfulRequestCount": told.completed,
        "failedRequestCount": told.failed + told.left - left,
        "pendingRequestCount": left,
    }
    return {name: str(count) for name, count in counted.items() if count}


def _unanswered(identity: str, ending: Ending) -> Json:
    assert ending is Ending.CANCELLED
    return {"key": identity, "error": {"code": 1, "message": "The operation was cancelled."}}


def _check_lines(lines: Sequence[Json]) -> None:
    for line in lines:
        assert line.keys() == {"key", "request"}
        check_request(_SPEC, _GENERATE, line["request"])


GEMINI = GeminiSamples(
    direct=DIRECT,
    open=GeminiBatches,
    base="http://provider.example/gemini",
    batches="/v1beta/batches",
    prepared="files/abc",
    entries="operations",
    batch=_batch,
    words={
        f"{prefix}_STATE_{word}": phase
        for prefix in ("JOB", "BATCH")
        for word, phase in _WORDS.items()
    },
    request_in=lambda line: dict(line["request"]),
    answered=lambda identity, answer: {"key": identity, "response": json.loads(answer)},
    refused=lambda identity, status, words: {
        "key": identity,
        "error": {"code": status, "message": words},
    },
    unanswered=_unanswered,
    outputs=1,
    check_lines=_check_lines,
    check_batch=lambda batch: check_schema(_SPEC, "BatchOperation", batch),
    embeds=False,
    without_results=frozenset({Ending.EXPIRED}),
    told_unanswered=frozenset({Ending.CANCELLED}),
)
