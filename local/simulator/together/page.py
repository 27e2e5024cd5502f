"""Together's files and batches, as an ASGI application of their own."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator import files_api, pages
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.file_batches import batch_of, look_at, new_batch, shown, start
from local.simulator.files import File
from local.simulator.openai_dialect import OpenAIDialect
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.simulator import Simulator
from local.simulator.together.batches import TogetherBatch

_MOST_BYTES = 100_000_000
_MISSING = ApiError(404, "There is no such batch.")
_UPLOAD_FIELDS = frozenset({"purpose", "file_name", "file_type", "file"})
_BATCH_FIELDS = frozenset(
    {"endpoint", "input_file_id", "completion_window", "priority", "model_id"}
)


class _Words(OpenAIDialect):
    """Those of what is beside the models."""

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        return {"error": error.message}


def create_page(simulator: Simulator) -> Starlette:
    return pages.create_page(simulator, _Words(), _ROUTES)


async def upload(request: Request) -> Response:
    try:
        async with request.form() as form:
            content = _checked_upload(dict(form))
            files = simulator_of(request).files
            path = files.new_path()
            request.state.call.digest = await asyncio.to_thread(files_api.store, content, path)
            file = files.add(path, filename=str(form["file_name"]), purpose="batch-api")
    except MultiPartException as error:
        raise ApiError(400, f"The multipart form is broken: {error.message}") from error
    return json_response(file.to_object())


def _checked_upload(form: dict[str, Any]) -> UploadFile:
    if not {"purpose", "file_name", "file"} <= form.keys() <= _UPLOAD_FIELDS:
        raise ApiError(400, "An upload has a purpose, a file_name and a file.")
    if form["purpose"] != "batch-api" or form.get("file_type", "jsonl") != "jsonl":
        raise ApiError(400, "A batch is made of a jsonl file whose purpose is batch-api.")
    content = form["file"]
    if not isinstance(content, UploadFile):
        raise ApiError(400, "The file has to be one.")
    return content


async def create(request: Request) -> Response:
    """Refused with 429 where the queue is full."""
    body = await json_body(request)
    simulator = simulator_of(request)
    file = _checked_file(body, simulator)
    batch = new_batch(
        request,
        TogetherBatch,
        file.id,
        endpoint=body["endpoint"],
        metadata=None,
        output_seconds=None,
    )
    with file.path.open("rb") as lines:
        batch.counts.total = sum(1 for _ in lines)
    if not simulator.batches.has_room(batch, batch.counts.total):
        raise ApiError(429, "Too many tokens are enqueued for this model.")
    start(request, batch, _MOST_BYTES)
    return json_response({"job": batch.to_object(), "warning": ""}, 201)


def _checked_file(body: dict[str, Any], simulator: Simulator) -> File:
    if unknown := body.keys() - _BATCH_FIELDS:
        raise ApiError(400, f"A batch has no {min(unknown)}.")
    if body.get("endpoint") != "/v1/chat/completions":
        raise ApiError(400, "The endpoint of a batch has to be /v1/chat/completions.")
    if body.get("completion_window", "24h") != "24h":
        raise ApiError(400, "The completion_window has to be 24h.")
    file = simulator.files.find(str(body.get("input_file_id")))
    if file is None:
        raise ApiError(400, "There is no such input file.")
    return file


async def list_batches(request: Request) -> Response:
    return json_response([batch.to_object() for batch in shown(request, TogetherBatch)])


async def retrieve(request: Request) -> Response:
    return look_at(_batch_of(request), _MISSING)


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.has_ended:
        raise ApiError(400, f"The batch {batch.id} has ended.")
    batch.cancel()
    return json_response(batch.look())


def _batch_of(request: Request) -> TogetherBatch:
    return batch_of(request, TogetherBatch, _MISSING)


_ROUTES = [
    Route("/files/upload", upload, methods=["POST"]),
    *files_api.FILE_ROUTES,
    Route("/batches", create, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}", retrieve),
    Route("/batches/{batch_id}/cancel", cancel, methods=["POST"]),
]
