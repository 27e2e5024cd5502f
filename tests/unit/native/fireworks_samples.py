"""Fireworks' jobs: their ids are ours, and their results lie at another server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from nightmail.deployment import Deployment
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, Phase
from nightmail.providers.fireworks.batches import FireworksBatches

from tests.unit.adapters.cases import KEY
from tests.unit.adapters.documents import check_request
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import BASE, Json, NativeSamples, Told
from tests.unit.native.script import Answer, Script

ACCOUNT = "accounts/acme"
MODEL = "accounts/fireworks/models/own-model"
DATASET = f"{ACCOUNT}/datasets/bij-1"
FILES = ("BIJOutputSet.jsonl", "error-data")
_DIRECT = next(samples for samples in COMPATIBLE if samples.provider == "fireworks_ai")
_STATES = {
    Ending.COMPLETED: "COMPLETED",
    Ending.FAILED: "FAILED",
    Ending.EXPIRED: "EXPIRED",
    Ending.CANCELLED: "CANCELLED",
}
_RUNNING = (
    "UNSPECIFIED",
    "CREATING",
    "CREATING_INPUT_DATASET",
    "VALIDATING",
    "PENDING",
    "RUNNING",
    "RE_QUEUEING",
    "IDLE",
    "PAUSED",
    "WRITING_RESULTS",
    "CANCELLING",
    "DELETING",
    "DELETING_CLEANING_UP",
)
_WORDS = dict.fromkeys(_RUNNING, Phase.RUNNING) | dict.fromkeys(
    [*_STATES.values(), "EARLY_STOPPED"], Phase.ENDED
)


class FireworksSamples(NativeSamples):
    def deployment(self, **changed: Any) -> Deployment:
        return super().deployment(**{"organization": "acme", **changed})

    def identity(self, name: str) -> str:
        return f"{ACCOUNT}/batchInferenceJobs/{name}"

    def batch_path(self, identity: str) -> str:
        return f"/{identity}"

    def output_ids(self, count: int = 1) -> list[str]:
        return [DATASET]

    def preparing(self) -> list[httpx.Response]:
        return [httpx.Response(200, json=told) for told in ({}, {"id": "any"})]

    def submitting(self) -> list[httpx.Response]:
        return [httpx.Response(200, json={"name": self.prepared, "state": "READY"})]

    def started(self, identity: object) -> Json:
        return {
            "name": self.identity(identity) if identity and isinstance(identity, str) else identity
        }

    def scripted(self, *answers: Answer) -> tuple[BatchProvider, Script]:
        script = Script(answers)
        transport = httpx.MockTransport(script)
        headers = {"authorization": f"Bearer {KEY}"}
        http = httpx.Client(base_url=BASE, headers=headers, transport=transport)
        storage = httpx.Client(transport=transport)
        return FireworksBatches(self.deployment(), http, KEY, storage=storage), script

    def serving(self, *outputs: bytes) -> BatchProvider:
        contents = [httpx.Response(200, content=content) for content in outputs]
        urls = httpx.Response(200, json=signed_urls(*FILES[: len(outputs)]))
        return self.scripted(urls, *contents)[0]


def signed_urls(*names: str) -> Json:
    storage = "https://storage.example/dataset/bij-1"
    urls = {f"dataset/bij-1/{name}": f"{storage}/{name}?X-Goog-Signature=s" for name in names}
    return {"filenameToSignedUrls": urls}


def _job(told: Told) -> Json:
    state = told.word or (_STATES.get(told.ending, "FAILED") if told.ending else "RUNNING")
    failed = told.failed + (told.left if told.ending else 0)
    return {
        "name": f"{ACCOUNT}/batchInferenceJobs/{told.identity}",
        "createTime": datetime.fromtimestamp(told.created, UTC).isoformat(),
        "state": state if told.word else f"JOB_STATE_{state}",
        "status": {"code": "OK", "message": ""},
        "model": MODEL,
        "inputDatasetId": f"{ACCOUNT}/datasets/in",
        "outputDatasetId": DATASET if told.has_results else "",
        "jobProgress": {
            "totalInputRequests": told.lines,
            "successfullyProcessedRequests": told.completed,
            "failedRequests": failed,
        },
    }


def _check_lines(lines: Sequence[Json]) -> None:
    """No description of its requests is at hand; they are OpenAI's, and the job has the model."""
    for line in lines:
        assert line.keys() == {"custom_id", "body"}
        assert "model" not in line["body"]
        body = {"model": "any", **line["body"]}
        check_request("openai.trimmed.openapi.yaml", "/chat/completions", body)


def _check_job(job: Json) -> None:
    """Fireworks' API description of a job lets it leave out all of its fields."""
    assert all(isinstance(job[name], str) for name in ("name", "state", "outputDatasetId"))
    assert all(isinstance(count, int) for count in job["jobProgress"].values())


FIREWORKS = FireworksSamples(
    direct=_DIRECT,
    open=lambda deployment, http, key: FireworksBatches(deployment, http, key, storage=http),
    batches=f"/{ACCOUNT}/batchInferenceJobs",
    batch=_job,
    words={f"JOB_STATE_{word}": phase for word, phase in _WORDS.items()},
    request_in=lambda line: {"model": MODEL, **line["body"]},
    answered=lambda identity, answer: {"custom_id": identity, "response": json.loads(answer)},
    refused=lambda identity, status, words: {
        "custom_id": identity,
        "error": {"message": words, "code": status},
    },
    unanswered=lambda identity, ending: {"custom_id": identity, "error": {"message": ending}},
    outputs=2,
    check_lines=_check_lines,
    check_batch=_check_job,
    prepared=f"{ACCOUNT}/datasets/in",
    cancels=False,
    makes_once=True,
    lists=False,
    embeds=False,
    told_unanswered=frozenset(),
    downloads=False,
)
