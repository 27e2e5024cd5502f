"""Model invocation jobs: `/model-invocation-job` and below, and `/model-invocation-jobs`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.bedrock.checks import check_job, check_listing
from local.simulator.bedrock.dialect import JOBS
from local.simulator.bedrock.job_work import JobWork
from local.simulator.bedrock.jobs import Job
from local.simulator.behaviour import Facts
from local.simulator.errors import ApiError
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.validation import Limits

_PROVIDER = "bedrock"
_MOST_BYTES = 1_000_000_000
_DEFAULT_LISTED = 100


async def create(request: Request) -> Response:
    """A token that came before answers with the job that it came for."""
    body = await json_body(request)
    check_job(body)
    known = [job for job in _jobs(request) if _is_again(job, body)]
    if known:
        return json_response({"jobArn": known[0].arn})
    simulator = simulator_of(request)
    facts: Facts = replace(request.state.facts, model=body["modelId"])
    source = simulator.files.new_path()
    uri = body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
    is_there = await asyncio.to_thread(simulator.buckets.fetch, uri, source)
    job = Job(
        provider=_PROVIDER,
        key=facts.key,
        model=body["modelId"],
        asked=body,
        source=source if is_there else None,
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    if job.source:
        with job.source.open("rb") as lines:
            job.counts.total = sum(1 for _ in lines)
    if not simulator.batches.has_room(job, job.counts.total):
        raise _refused("ServiceQuotaExceededException", "There are too many jobs of this model.")
    work = JobWork(
        job,
        fewest=simulator.settings.min_records,
        limits=Limits(simulator.settings.max_lines, _MOST_BYTES),
        buckets=simulator.buckets,
        files=simulator.files,
        executor=simulator.executor(_PROVIDER),
    )
    simulator.start(job, work)
    return json_response({"jobArn": job.arn})


def _is_again(job: Job, body: dict[str, Any]) -> bool:
    token = body.get("clientRequestToken")
    return token is not None and job.asked.get("clientRequestToken") == token


async def list_jobs(request: Request) -> Response:
    """The youngest first, by pages whose tokens are places."""
    query = dict(request.query_params)
    check_listing(query)
    jobs = [job for job in _jobs(request)[::-1] if job.is_there() and _fits(job, query)]
    start, size = int(query.get("nextToken", "0")), int(query.get("maxResults", _DEFAULT_LISTED))
    shown = [job.summary() for job in jobs[start : start + size]]
    more = {"nextToken": str(start + size)} if len(jobs) > start + size else {}
    return json_response({"invocationJobSummaries": shown, **more})


def _fits(job: Job, query: dict[str, str]) -> bool:
    after = query.get("submitTimeAfter")
    return (
        query.get("nameContains", "") in job.asked["jobName"]
        and query.get("statusEquals") in (None, job.to_object()["status"])
        and (after is None or job.created > datetime.fromisoformat(after).timestamp())
    )


async def retrieve(request: Request) -> Response:
    job = _job_of(request)
    shown = job.look()
    job.deliver_in_time()
    _check_is_there(job)
    return json_response(shown)


async def stop(request: Request) -> Response:
    job = _job_of(request)
    if job.has_ended:
        raise _refused("ConflictException", "The job has ended.")
    job.cancel()
    return json_response({})


def _jobs(request: Request) -> list[Job]:
    """Those of the account, which all keys are of."""
    return [job for job in simulator_of(request).batches.all() if isinstance(job, Job)]


def _job_of(request: Request) -> Job:
    identity = request.path_params["identifier"].rpartition("/")[2]
    job = simulator_of(request).batches.find(identity)
    if not isinstance(job, Job):
        raise _not_found()
    _check_is_there(job)
    return job


def _check_is_there(job: Job) -> None:
    if not job.is_there():
        raise _not_found()


def _not_found() -> ApiError:
    return _refused("ResourceNotFoundException", "The job could not be found.", 404)


def _refused(name: str, message: str, status: int = 400) -> ApiError:
    return ApiError(status, message, headers={"x-amzn-errortype": name})


ROUTES = [
    Route(JOBS, create, methods=["POST"]),
    Route("/model-invocation-jobs", list_jobs),
    Route(f"{JOBS}/{{identifier:path}}/stop", stop, methods=["POST"]),
    Route(f"{JOBS}/{{identifier:path}}", retrieve),
]
