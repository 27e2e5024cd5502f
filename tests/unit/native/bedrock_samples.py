"""Bedrock's jobs, as botocore's service model `bedrock` and the user guide describe them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
from botocore.session import Session
from botocore.validate import ParamValidator
from nightmail.deployment import Deployment
from nightmail.part import Ending
from nightmail.providers.base import BatchFormat, BatchProvider, Phase
from nightmail.providers.bedrock.batch_format import BedrockFormat
from nightmail.providers.bedrock.batches import BedrockBatches, SignedCalls
from nightmail.providers.native_http import open_client
from nightmail.providers.native_lists import PAGE

from local.simulator.client import SimulatorClient
from tests.bucket_folder import BUCKET
from tests.unit.adapters.bedrock_samples import BEDROCK as DIRECT
from tests.unit.native.cases import TAG, Json, NativeSamples, Told

ROLE = "arn:aws:iam::123456789012:role/jobs"
FOLDER = "work/batch_1/bedrock"
NAME = "nightmail-019aa5f0c1de7a3b9d5e8f4c2b6a1d30-2-1-0"
_ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"
_STATUSES = {
    Ending.COMPLETED: "Completed",
    Ending.CANCELLED: "Stopped",
    Ending.EXPIRED: "PartiallyCompleted",
}
_TOOLS = (
    "a tool without parameters",
    "one named tool",
    "the results of two tools that were called at once",
    "tools",
    "tools that may be called",
    "tools that must be called",
)


def a_job(told: Told) -> Json:
    """Its results lie in the bucket, or do not."""
    results = f"{FOLDER}/{told.identity}/2-1-0.jsonl.out"
    BUCKET.path(results).unlink(missing_ok=True)
    if told.ending and told.has_results:
        BUCKET.write(results, [])
    counts = {
        "totalRecordCount": told.lines,
        "processedRecordCount": told.completed + told.failed,
        "successRecordCount": told.completed,
        "errorRecordCount": told.failed,
    }
    name = NAME if told.tag == TAG else f"nightmail-other-{told.tag.shard}-0-0"
    status = _STATUSES.get(told.ending, "Failed") if told.ending else "InProgress"
    job = {
        "jobArn": _ARN + told.identity,
        "jobName": name,
        "clientRequestToken": name,
        "modelId": DIRECT.model,
        "modelInvocationType": "Converse",
        "roleArn": ROLE,
        "status": told.word or status,
        "submitTime": datetime.fromtimestamp(told.created, UTC).isoformat(),
        "inputDataConfig": {
            "s3InputDataConfig": {
                "s3InputFormat": "JSONL",
                "s3Uri": BUCKET.uri(f"{FOLDER}/2-1-0.jsonl"),
            }
        },
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": BUCKET.uri(f"{FOLDER}/")}},
        "timeoutDurationInHours": 24,
    }
    return {**job, **counts} if told.ending else job


def _record(identity: str, **told: Any) -> Json:
    return {"recordId": identity, "modelInput": {"messages": []}, **told}


@cache
def _shape(service: str, operation: str, side: str) -> Any:
    model = Session().get_service_model(service).operation_model(operation)
    return getattr(model, f"{side}_shape")


def _check(told: Json, service: str, operation: str, side: str) -> None:
    shape = _shape(service, operation, side)
    report = ParamValidator().validate(told, shape)
    assert not report.has_errors(), report.generate_report()
    assert told.keys() <= shape.members.keys()


def _check_lines(lines: Sequence[Json]) -> None:
    for line in lines:
        assert line.keys() == {"recordId", "modelInput"}
        request = {"modelId": DIRECT.model, **line["modelInput"]}
        _check(request, "bedrock-runtime", "Converse", "input")


@dataclass(frozen=True, repr=False)
class BedrockSamples(NativeSamples):
    """Whose lines and results lie in a bucket, and whose calls are signed."""

    def deployment(self, **changed: Any) -> Deployment:
        own = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
        return self.direct.deployment(**{"aws_region_name": "us-east-1", **own, **changed})

    def format(self, **changed: Any) -> BatchFormat:
        return BedrockFormat(self.deployment(**changed))

    def opened(self, api_base: str) -> BatchProvider:
        deployment = self.deployment()
        http = open_client(api_base, (), None, auth=SignedCalls(deployment))
        return self.open(deployment, http, None)

    def serving(self, *outputs: bytes) -> BatchProvider:
        for identity, output in zip(self.output_ids(len(outputs)), outputs, strict=True):
            BUCKET.write(identity, [output])
        return self.scripted()[0]

    def output_ids(self, count: int = 1) -> list[str]:
        return [f"{FOLDER}/output-{place}" for place in range(count)]

    def rehearse(self, simulator: SimulatorClient) -> None:
        simulator.set(min_records=1)

    def preparing(self) -> list[httpx.Response]:
        return []

    def started(self, identity: object) -> Json:
        is_name = isinstance(identity, str) and identity
        return {"jobArn": f"{_ARN}{identity}" if is_name else identity}

    def cancel_path(self, identity: str) -> str:
        return f"{self.batch_path(identity)}/stop"

    def page(self, *batches: Told, has_more: bool = False) -> httpx.Response:
        page: Json = {self.entries: [self.batch(told) for told in batches]}
        more = {"nextToken": batches[-1].identity} if has_more else {}
        return httpx.Response(200, json=page | more)

    def counted(self, completed: int, failed: int, left: int = 0) -> tuple[int, int]:
        return completed, failed

    def queries(self, last: str) -> list[Json]:
        first = {
            "sortBy": "CreationTime",
            "sortOrder": "Descending",
            "nameContains": NAME,
            "maxResults": str(PAGE),
        }
        return [first, {**first, "nextToken": last}]


BEDROCK = BedrockSamples(
    direct=DIRECT,
    open=lambda deployment, http, key: BedrockBatches(
        deployment, http, key, objects=BUCKET, role=ROLE
    ),
    batches="/model-invocation-job",
    batch=a_job,
    newest_first=True,
    words={
        **dict.fromkeys(
            ("Submitted", "Validating", "Scheduled", "InProgress", "Stopping"), Phase.RUNNING
        ),
        **dict.fromkeys(
            ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"), Phase.ENDED
        ),
    },
    request_in=lambda line: dict(line["modelInput"]),
    answered=lambda identity, answer: _record(identity, modelOutput=json.loads(answer)),
    refused=lambda identity, status, words: _record(
        identity, error={"errorCode": status, "errorMessage": words}
    ),
    unanswered=lambda identity, _: _record(identity),
    outputs=1,
    check_lines=_check_lines,
    check_batch=lambda job: _check(job, "bedrock", "GetModelInvocationJob", "output"),
    base="https://bedrock.us-east-1.amazonaws.com",
    lacks=frozenset(_TOOLS),
    prepared=f"{FOLDER}/2-1-0.jsonl",
    uploads=False,
    entries="invocationJobSummaries",
    counts_while_it_runs=False,
    told_unanswered=frozenset(),
    downloads=False,
)
