"""The native lane of Bedrock: model invocation jobs, which read and write the stack's bucket.

Source: botocore's service model `bedrock`, of 2023-04-20.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from time import time
from typing import Any

import httpx

from nightmail.deployment import Deployment
from nightmail.errors import InvalidConfig, NotFound, ProviderNotFound, ProviderQueueFull
from nightmail.providers.base import Intent, Progress, ShardInput, Tag
from nightmail.providers.bedrock.aws import jobs_base_of, model_of, signature
from nightmail.providers.bedrock.batch_results import (
    UNDER_WAY,
    has_ended,
    made_at,
    to_outcome,
    to_progress,
)
from nightmail.providers.bedrock.errors import job_error
from nightmail.providers.bedrock.stack import job_role
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of
from nightmail.providers.native_batches import HttpBatches
from nightmail.providers.native_http import open_client
from nightmail.providers.native_lists import first_of, list_by_tokens, made_since
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.objects import Objects
from nightmail.work_keys import batch_folder

_JOB = "/model-invocation-job"
_JOBS = "/model-invocation-jobs"
# The longest: whose batch runs out of time before has its job stopped, and its results read.
_TIMEOUT_HOURS = 168
_BATCH = "batch_"


@dataclass(frozen=True)
class SignedCalls(httpx.Auth):
    """Signs each call as AWS's own clients do (SigV4)."""

    deployment: Deployment

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        url = str(request.url)
        signed = signature(
            self.deployment, url, request.headers, request.content, method=request.method
        )
        request.headers.update(signed)
        yield request


class BedrockBatches(HttpBatches):
    """One deployment's jobs. `objects` is the bucket that `role`, an ARN, may read and write.

    `prepare`, `poll` and `results` raise leaves of StorageError too.
    """

    is_tagged = True

    def __init__(
        self,
        deployment: Deployment,
        http: httpx.Client,
        key: str | None,
        *,
        objects: Objects,
        role: str,
    ) -> None:
        super().__init__(deployment, http, key, identity="jobArn", read_error=job_error)
        self._deployment = deployment
        self._model = model_of(deployment)
        self._objects = objects
        self._role = role

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        key = f"{_folder(tag.batch_id)}/{_name(tag)}.jsonl"
        self._objects.write(key, content.read())
        return key

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - it lies in the bucket
        self._check_quota()
        return _short(self._api.start(_JOB, json=self._submission(prepared, tag)))

    def find(self, intent: Intent) -> list[str]:
        name = _name(intent.tag)
        every = self._listed(nameContains=name)
        listed = made_since(intent.since, every, made_at, newest_first=True)
        found = first_of(self._api, listed, lambda job: job.get("jobName") == name)
        return [_short(arn) for arn in found]

    def poll(self, provider_batch_id: str) -> Progress:
        job = self._job(provider_batch_id)
        return to_progress(job, self._outputs(job, provider_batch_id) if has_ended(job) else [])

    def _job(self, provider_batch_id: str) -> JsonObject:
        return self._api.look(f"{_JOB}/{provider_batch_id}")

    def _has_ended(self, provider_batch_id: str) -> bool:
        """Without a look into the bucket, which not all who cancel may list."""
        return has_ended(self._job(provider_batch_id))

    def _submission(self, prepared: str, tag: Tag) -> JsonObject:
        folder = self._objects.uri(f"{_folder(tag.batch_id)}/")
        source = {"s3InputFormat": "JSONL", "s3Uri": self._objects.uri(prepared)}
        return {
            "jobName": _name(tag),
            "clientRequestToken": _name(tag),
            "roleArn": self._role,
            "modelId": self._model,
            "modelInvocationType": "Converse",
            "inputDataConfig": {"s3InputDataConfig": source},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": folder}},
            "timeoutDurationInHours": _TIMEOUT_HOURS,
        }

    def _check_quota(self) -> None:
        """Bedrock counts the jobs of a model in an account and Region, whoever has started them.

        Only those under way are listed, which quotas keep few: an account may have thousands that ended.
        """
        most = self._deployment.max_batch_jobs
        if most is None:
            return
        listed = chain.from_iterable(self._listed(statusEquals=status) for status in UNDER_WAY)
        # One may be in two lists, having gone on between them.
        running = {self._api.id_of(job) for job in listed if self._is_of_model(job)}
        if len(running) >= most:
            raise ProviderQueueFull(
                f"{self._name} has {len(running)} jobs of this model under way,"
                f" and max_batch_jobs is {most}.",
                provider=self._name,
            )

    def _is_of_model(self, job: JsonObject) -> bool:
        """Of a model that was asked for by its id, the ARN may be told."""
        told = str(job.get("modelId"))
        return told == self._model or told.endswith(f"/{self._model}")

    def _listed(self, **wanted: str) -> Iterator[JsonObject]:
        """The youngest first."""
        return list_by_tokens(
            self._api,
            _JOBS,
            entries="invocationJobSummaries",
            size="maxResults",
            token="nextToken",  # noqa: S106 - a parameter's name
            following="nextToken",
            wanted={"sortBy": "CreationTime", "sortOrder": "Descending", **wanted},
        )

    def _outputs(self, job: JsonObject, identity: str) -> list[str]:
        """The keys of its results, if they are there: `<folder>/<job>/<name of the input>.out`."""
        bucket = self._objects.uri("")
        source = _uri_in(job, "inputDataConfig", "s3InputDataConfig").rpartition("/")[2]
        folder = _uri_in(job, "outputDataConfig", "s3OutputDataConfig").rstrip("/")
        key = f"{folder}/{identity}/{source}.out"
        is_there = key.startswith(bucket) and self._objects.has(key.removeprefix(bucket))
        return [key.removeprefix(bucket)] if is_there else []

    def _cancel_path(self, provider_batch_id: str) -> str:
        return f"{_JOB}/{provider_batch_id}/stop"

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        try:
            yield from self._objects.read(output_id, start)
        except NotFound as error:
            raise ProviderNotFound(
                f"The results of {self._name}'s job are not in the bucket any more.",
                provider=self._name,
            ) from error

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading, self._model, created=int(time()))


def open_jobs(deployment: Deployment, objects: Objects) -> BedrockBatches:
    """With a client that signs by the role of this process. Raises InvalidConfig outside of a stack."""
    role = job_role()
    if role is None:
        raise InvalidConfig("Jobs of Bedrock are started by a stack, which has a role for them.")
    http = open_client(
        jobs_base_of(deployment), (), deployment.timeout_seconds, auth=SignedCalls(deployment)
    )
    return BedrockBatches(deployment, http, None, objects=objects, role=role)


def _folder(batch_id: str) -> str:
    return f"{batch_folder(batch_id)}/bedrock"


def _name(tag: Tag) -> str:
    """A job's: letters, digits and `-`, at most 63 characters. It is its token too."""
    batch = tag.batch_id.removeprefix(_BATCH).replace("_", "-")
    return f"nightmail-{batch}-{tag.shard}-{tag.round}-{tag.attempt}"


def _short(arn: str) -> str:
    """The end of a job's ARN, which stands for it in paths."""
    return arn.rpartition("/")[2]


def _uri_in(job: JsonObject, *names: str) -> str:
    found: Any = job
    for name in names:
        found = mapping_of(found).get(name)
    return str(mapping_of(found).get("s3Uri"))
