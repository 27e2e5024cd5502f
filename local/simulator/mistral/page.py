"""Mistral's files and batch jobs: `/batch/jobs` and below."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator import files_api, models_api
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.file_batches import batch_of, look_at, new_batch, shown, start
from local.simulator.mistral.jobs import MistralJob
from local.simulator.pages import create_page
from local.simulator.requests import json_body, json_response
from local.simulator.simulator import Simulator

_ENDPOINTS = frozenset({"/v1/chat/completions", "/v1/embeddings"})
_MOST_HOURS = 7 * 24
_MOST_KEY, _MOST_VALUE = 32, 512
_MISSING = ApiError(404, "There is no such job.")


def create(simulator: Simulator) -> Starlette:
    return create_page(simulator, dialect_of("mistral"), _ROUTES)


async def create_job(request: Request) -> Response:
    body = await json_body(request)
    if wrong := _wrong_in(body):
        raise ApiError(422, "Value is not valid", param=wrong)
    (file_id,) = body["input_files"]
    job = new_batch(
        request,
        MistralJob,
        file_id,
        model=body["model"],
        endpoint=body["endpoint"],
        metadata=body.get("metadata"),
        output_seconds=None,
    )
    start(request, job)
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
    """By pages that have numbers."""
    jobs = shown(request, MistralJob)
    number = int(request.query_params.get("page", "0"))
    size = int(request.query_params.get("page_size", "100"))
    listed = [job.to_object() for job in jobs[number * size : (number + 1) * size]]
    return json_response({"object": "list", "data": listed, "total": len(jobs)})


async def retrieve(request: Request) -> Response:
    return look_at(_job_of(request), _MISSING)


async def cancel(request: Request) -> Response:
    job = _job_of(request)
    if job.has_ended:
        raise ApiError(400, f"The job {job.id} has ended.")
    job.cancel()
    return look_at(job, _MISSING)


def _job_of(request: Request) -> MistralJob:
    return batch_of(request, MistralJob, _MISSING)


_ROUTES = [
    *files_api.ROUTES,
    *models_api.ROUTES,
    Route("/batch/jobs", create_job, methods=["POST"]),
    Route("/batch/jobs", list_jobs),
    Route("/batch/jobs/{batch_id}", retrieve),
    Route("/batch/jobs/{batch_id}/cancel", cancel, methods=["POST"]),
]
