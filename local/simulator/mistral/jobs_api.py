"""Mistral's batch jobs: `/batch/jobs` and below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.behaviour import Facts
from local.simulator.errors import ApiError
from local.simulator.mistral.jobs import MistralJob
from local.simulator.openai_work import OpenAIWork
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.validation import Limits

_ENDPOINTS = frozenset({"/v1/chat/completions", "/v1/embeddings"})
_MOST_HOURS = 7 * 24
_MOST_KEY, _MOST_VALUE = 32, 512


async def create(request: Request) -> Response:
    """Refused with 422 and a list of what is wrong."""
    body = await json_body(request)
    if wrong := _wrong_in(body):
        detail = [{"type": "value_error", "loc": ["body", wrong], "msg": "Value is not valid"}]
        return json_response({"detail": detail}, 422)
    simulator = simulator_of(request)
    request.state.call.model = body["model"]
    facts: Facts = replace(request.state.facts, model=body["model"])
    (file_id,) = body["input_files"]
    job = MistralJob(
        provider=facts.provider,
        key=facts.key,
        endpoint=body["endpoint"],
        input_file_id=file_id,
        input_file=simulator.files.find(file_id),
        metadata=body.get("metadata"),
        output_seconds=None,
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    work = OpenAIWork(
        job,
        batches=simulator.batches,
        files=simulator.files,
        executor=simulator.executor(facts.provider),
        limits=Limits(simulator.settings.max_lines, simulator.settings.max_bytes),
    )
    simulator.start(job, work)
    return json_response(job.to_object())


def _wrong_in(body: dict[str, Any]) -> str | None:
    """The first field that is missing or wrong."""
    files, hours = body.get("input_files"), body.get("timeout_hours", 24)
    metadata: Any = body.get("metadata") or {}
    checks = {
        "endpoint": body.get("endpoint") in _ENDPOINTS,
        "model": isinstance(body.get("model"), str),
        "input_files": isinstance(files, list) and len(files) == 1,
        "timeout_hours": isinstance(hours, int) and 0 < hours < _MOST_HOURS,
        "metadata": all(
            0 < len(name) <= _MOST_KEY and 0 < len(str(value)) <= _MOST_VALUE
            for name, value in metadata.items()
        ),
    }
    return next((name for name, is_right in checks.items() if not is_right), None)


async def list_jobs(request: Request) -> Response:
    """The newest first, by pages that have numbers."""
    jobs = [job for job in simulator_of(request).batches.all() if _is_shown(job)][::-1]
    number = int(request.query_params.get("page", "0"))
    size = int(request.query_params.get("page_size", "100"))
    shown = [job.to_object() for job in jobs[number * size : (number + 1) * size]]
    return json_response({"object": "list", "data": shown, "total": len(jobs)})


async def retrieve(request: Request) -> Response:
    return _look_at(_job_of(request))


async def cancel(request: Request) -> Response:
    job = _job_of(request)
    if job.has_ended:
        raise ApiError(400, f"The job {job.id} has ended.")
    job.cancel()
    return _look_at(job)


def _look_at(job: MistralJob) -> Response:
    shown = job.look()
    if not job.is_there():
        raise _not_found()
    return json_response(shown)


def _job_of(request: Request) -> MistralJob:
    job = simulator_of(request).batches.find(request.path_params["job_id"])
    if not isinstance(job, MistralJob):
        raise _not_found()
    return job


def _is_shown(job: object) -> bool:
    return isinstance(job, MistralJob) and job.is_there()


def _not_found() -> ApiError:
    return ApiError(404, "There is no such job.")


ROUTES = [
    Route("/batch/jobs", create, methods=["POST"]),
    Route("/batch/jobs", list_jobs),
    Route("/batch/jobs/{job_id}", retrieve),
    Route("/batch/jobs/{job_id}/cancel", cancel, methods=["POST"]),
]
