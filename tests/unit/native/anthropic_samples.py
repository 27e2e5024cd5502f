"""Anthropic's Message Batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from nightmail.part import Ending
from nightmail.providers.anthropic.batches import AnthropicBatches
from nightmail.providers.base import Phase

from tests.unit.adapters.anthropic_samples import ANTHROPIC as DIRECT
from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.native.cases import Json, NativeSamples, Told

_SPEC = "anthropic.trimmed.openapi.yaml"
_LEFT = {Ending.CANCELLED: "canceled", Ending.EXPIRED: "expired"}


def _batch(told: Told) -> Json:
    has_ended = told.ending is not None
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if has_ended:
        counts |= {"succeeded": told.completed, "errored": told.failed}
        counts[_LEFT.get(told.ending or Ending.EXPIRED, "expired")] = told.left
    else:
        counts["processing"] = told.lines
    moment = datetime.fromtimestamp(told.created, UTC).isoformat().replace("+00:00", "Z")
    path = f"/v1/messages/batches/{told.identity}/results"
    return {
        "id": told.identity,
        "type": "message_batch",
        "processing_status": told.word or ("ended" if has_ended else "in_progress"),
        "request_counts": counts,
        "created_at": moment,
        "expires_at": moment,
        "ended_at": moment if has_ended else None,
        "cancel_initiated_at": moment if told.ending is Ending.CANCELLED else None,
        "archived_at": None,
        "results_url": f"https://elsewhere.example{path}"
        if has_ended and told.has_results
        else None,
    }


def _result(identity: str, kind: str, **more: object) -> Json:
    return {"custom_id": identity, "result": {"type": kind, **more}}


def _refused(identity: str, status: int, words: str) -> Json:
    return _result(identity, "errored", error=json.loads(DIRECT.error(status, words)))


def _check_lines(lines: Sequence[Json]) -> None:
    check_request(_SPEC, "/v1/messages/batches", {"requests": list(lines)})


class AnthropicSamples(NativeSamples):
    """Its lines go with the submission itself."""

    def preparing(self) -> list[httpx.Response]:
        return []


ANTHROPIC = AnthropicSamples(
    direct=DIRECT,
    open=AnthropicBatches,
    batches="/messages/batches",
    batch=_batch,
    newest_first=True,
    words={
        "in_progress": Phase.RUNNING,
        "canceling": Phase.RUNNING,
        "ended": Phase.ENDED,
    },
    request_in=lambda line: dict(line["params"]),
    answered=lambda identity, answer: _result(identity, "succeeded", message=json.loads(answer)),
    refused=_refused,
    unanswered=lambda identity, ending: _result(identity, _LEFT[ending]),
    outputs=1,
    check_lines=_check_lines,
    check_batch=lambda batch: check_schema(_SPEC, "MessageBatch", batch),
    after="after_id",
    counts_while_it_runs=False,
)
