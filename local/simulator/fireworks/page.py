"""Fireworks' datasets and batch inference jobs, as an ASGI application of their own.

Nothing stops a job but its deletion. Results are downloaded from another server, by signed URLs.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from local.simulator import files_api, pages
from local.simulator.dialect import Json
from local.simulator.errors import ApiError, failure
from local.simulator.files import File
from local.simulator.fireworks.job_work import FireworksWork
from local.simulator.fireworks.jobs import FireworksJob, dataset_object
from local.simulator.openai_dialect import OpenAIDialect
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.simulator import Simulator

STORAGE = "/_storage"
_MOST_BYTES = 150_000_000
_DEFAULT_LISTED = 50
# google/rpc/code.proto
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8}
_INTERNAL = 13


class _Words(OpenAIDialect):
    """Those of what is beside the models."""

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        code = _CODES.get(error.status, _INTERNAL)
        return {"code": code, "message": error.message, "details": []}


def create_page(simulator: Simulator) -> Starlette:
    return pages.create_page(simulator, _Words(), _ROUTES)


async def create_dataset(request: Request) -> Response:
    body, files = await json_body(request), simulator_of(request).files
    told = body.get("dataset") or {}
    if not told.get("exampleCount"):
        raise ApiError(400, "example_count is required for uploaded datasets")
    name = f"accounts/{request.path_params['account']}/datasets/{body.get('datasetId')}"
    if _files_of(name, request):
        raise ApiError(409, f"{name} already exists")
    path = files.new_path()
    path.touch()
    file = files.add(path, filename=name, purpose="dataset")
    return json_response(dataset_object(name, [file]))


async def upload(request: Request) -> Response:
    (file,) = _dataset_of(request)
    try:
        async with request.form() as form:
            content = form.get("file")
            if not isinstance(content, UploadFile):
                raise ApiError(400, "file is required")
            if (content.size or 0) > _MOST_BYTES:
                raise ApiError(400, "The file is larger than 150 MB.")
            request.state.call.digest = await asyncio.to_thread(files_api.store, content, file.path)
    except MultiPartException as error:
        raise ApiError(400, f"The multipart form is broken: {error.message}") from error
    return json_response({**file.to_object(), "id": file.filename})


async def retrieve_dataset(request: Request) -> Response:
    return json_response(dataset_object(_name_of(request), _dataset_of(request)))


async def download_endpoint(request: Request) -> Response:
    """URLs that need no key, for anybody who has them."""
    base = f"{request.url.scheme}://{request.url.netloc}{STORAGE}"
    urls = {
        file.filename.partition("/datasets/")[2]: f"{base}/{file.id}?X-Goog-Signature=signed"
        for file in _dataset_of(request)
    }
    return json_response({"filenameToSignedUrls": urls})


async def stored(request: Request) -> Response:
    """A file at the server where results lie. A signed URL is all that it takes: another credential
    beside it is refused.
    """
    if "authorization" in request.headers:
        return Response(status_code=400)
    file = simulator_of(request).files.get(request.path_params["file_id"])
    return FileResponse(file.path, media_type="application/octet-stream")


async def create_job(request: Request) -> Response:
    """Once for each id."""
    body, simulator = await json_body(request), simulator_of(request)
    facts = request.state.facts
    account = request.path_params["account"]
    name = f"accounts/{account}/batchInferenceJobs/{request.query_params['batchInferenceJobId']}"
    if simulator.batches.find(name):
        raise ApiError(409, f"{name} already exists")
    if not isinstance(body.get("model"), str):
        raise ApiError(400, "model is required")
    datasets = _files_of(str(body.get("inputDatasetId")), request)
    if not any(file.size for file in datasets):
        raise ApiError(400, "The input dataset is not ready.")
    job = FireworksJob(
        id=name,
        provider=facts.provider,
        key=facts.key,
        model=body["model"],
        dataset=datasets[0],
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    with datasets[0].path.open("rb") as lines:
        job.counts.total = sum(1 for _ in lines)
    if not simulator.batches.has_room(job, job.counts.total):
        raise failure(429)
    executor = simulator.executor(facts.provider)
    simulator.start(job, FireworksWork(job, files=simulator.files, executor=executor))
    return json_response(job.to_object())


async def list_jobs(request: Request) -> Response:
    """The oldest first, if not asked for otherwise; a page's token is the place of its first job."""
    every = simulator_of(request).batches.all()
    jobs = [each for each in every if isinstance(each, FireworksJob) and _is_shown(each, request)]
    query = request.query_params
    if query.get("orderBy") == "create_time desc":
        jobs.reverse()
    start, size = int(query.get("pageToken", 0)), int(query.get("pageSize", _DEFAULT_LISTED))
    shown = [job.to_object() for job in jobs[start : start + size]]
    following = str(start + size) if start + size < len(jobs) else ""
    return json_response({"batchInferenceJobs": shown, "nextPageToken": following})


async def retrieve_job(request: Request) -> Response:
    shown = _job_of(request).look()
    _job_of(request)
    return json_response(shown)


def _job_of(request: Request) -> FireworksJob:
    """Raises ApiError, a 404, for one that is not there, or no more."""
    name = request.path_params["name"]
    account = request.path_params["account"]
    job = simulator_of(request).batches.find(f"accounts/{account}/batchInferenceJobs/{name}")
    if not isinstance(job, FireworksJob) or not _is_shown(job, request):
        raise _not_found()
    return job


def _is_shown(job: FireworksJob, request: Request) -> bool:
    return job.key == request.state.key and job.is_there()


def _name_of(request: Request) -> str:
    return f"accounts/{request.path_params['account']}/datasets/{request.path_params['name']}"


def _dataset_of(request: Request) -> list[File]:
    """Raises ApiError, a 404, where there is none."""
    files = _files_of(_name_of(request), request)
    if not files:
        raise _not_found()
    return files


def _files_of(name: str, request: Request) -> list[File]:
    """The one that was uploaded, or those of results."""
    every = simulator_of(request).files.all()
    return [each for each in every if f"{each.filename}/".startswith(f"{name}/")]


def _not_found() -> ApiError:
    return ApiError(404, "resource not found")


_ACCOUNT = "/accounts/{account}"
_ROUTES = [
    Route(f"{_ACCOUNT}/datasets", create_dataset, methods=["POST"]),
    Route(f"{_ACCOUNT}/datasets/{{name}}:upload", upload, methods=["POST"]),
    Route(f"{_ACCOUNT}/datasets/{{name}}:getDownloadEndpoint", download_endpoint),
    Route(f"{_ACCOUNT}/datasets/{{name}}", retrieve_dataset),
    Route(f"{_ACCOUNT}/batchInferenceJobs", create_job, methods=["POST"]),
    Route(f"{_ACCOUNT}/batchInferenceJobs", list_jobs),
    Route(f"{_ACCOUNT}/batchInferenceJobs/{{name}}", retrieve_job),
]
STORAGE_ROUTES = [Route(f"{STORAGE}/{{file_id}}", stored)]
