"""xAI's files and batches: an input file has no purpose, and results come by pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator import files_api
from local.simulator.dialect import Json
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.file_batches import batch_of, look_at, new_batch, shown, start
from local.simulator.pages import create_page
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.simulator import Simulator
from local.simulator.xai.batches import XaiBatch

_MISSING = ApiError(404, "There is no such batch.", code="not-found")
_DEFAULT_LISTED, _MOST_LISTED = 100, 1000
# google/rpc/code.proto: what was not run, and statuses; one that has no code is told as it is.
_UNANSWERED = {"batch_cancelled": 1, "batch_expired": 4}
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 501: 12, 503: 14}


def create(simulator: Simulator) -> Starlette:
    return create_page(simulator, dialect_of("xai"), _ROUTES)


async def upload(request: Request) -> Response:
    async with request.form() as form:
        content = form.get("file")
        if not isinstance(content, UploadFile):
            raise ApiError(400, "An upload has a file.")
        files = simulator_of(request).files
        path = files.new_path()
        request.state.call.digest = await asyncio.to_thread(files_api.store, content, path)
        file = files.add(path, filename=content.filename or "", purpose="")
    return json_response(file.to_object())


async def create_batch(request: Request) -> Response:
    body = await json_body(request)
    if not isinstance(body.get("name"), str) or not body["name"]:
        raise ApiError(400, "A batch has a name.")
    if unknown := body.keys() - {"name", "input_file_id"}:
        raise ApiError(400, f"A batch has no {min(unknown)}.")
    file_id = str(body.get("input_file_id"))
    if simulator_of(request).files.find(file_id) is None:
        raise ApiError(400, "There is no such input file.")
    batch = new_batch(
        request,
        XaiBatch,
        file_id,
        name=body["name"],
        endpoint="/v1/chat/completions",
        metadata=None,
        output_seconds=None,
    )
    start(request, batch)
    return json_response(batch.to_object())


async def list_batches(request: Request) -> Response:
    batches = shown(request, XaiBatch)
    begin, limit = _place(request)
    listed = [batch.to_object() for batch in batches[begin : begin + limit]]
    return json_response(
        {"batches": listed, "pagination_token": _token(begin + limit, len(batches))}
    )


async def retrieve(request: Request) -> Response:
    return look_at(_batch_of(request), _MISSING)


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.has_ended and batch.status != "expired":
        raise ApiError(400, "This batch has ended.")
    batch.cancel()
    return json_response(batch.to_object())


async def results(request: Request) -> Response:
    batch = _batch_of(request)
    begin, limit = _place(request)
    with ExitStack() as opened:
        files = [opened.enter_context(path.open("rb")) for path in _outputs(request, batch)]
        found = [*islice(chain(*files), begin, begin + limit + 1)]
    listed = [_to_result(line) for line in found[:limit]]
    token = _token(begin + limit, begin + len(found))
    return json_response({"results": listed, "pagination_token": token})


def _outputs(request: Request, batch: XaiBatch) -> Iterator[Path]:
    files = simulator_of(request).files
    for file_id in (batch.output_file_id, batch.error_file_id):
        if file_id and (file := files.find(file_id)):
            yield file.path


def _to_result(line: bytes) -> Any:
    """A line of OpenAI's result files as xAI tells it; what is none stays as it is."""
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line.decode(errors="replace")
    response = told["response"] or {}
    identity: Json = {"batch_request_id": told["custom_id"]}
    if error := told["error"]:
        return identity | _error(_UNANSWERED[error["code"]], error["message"])
    if (status := response["status_code"]) != 200:  # noqa: PLR2004
        return identity | _error(_CODES.get(status, status), response["body"]["error"])
    answer = {"chat_get_completion": response["body"]}
    return {**identity, "batch_result": {"response": answer, "error": {"code": 0, "message": ""}}}


def _error(code: int, message: str) -> Json:
    error = {"code": code, "message": message}
    return {"batch_result": {"error": error}, "error_message": message}


def _place(request: Request) -> tuple[int, int]:
    """Where a page begins, which its token tells, and how much it holds."""
    query = request.query_params
    limit, token = query.get("limit", str(_DEFAULT_LISTED)), query.get("pagination_token", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LISTED or not token.isdecimal():
        raise ApiError(400, "This is not the limit or the token of a page.")
    return int(token), int(limit)


def _token(end: int, total: int) -> str | None:
    return str(end) if end < total else None


def _batch_of(request: Request) -> XaiBatch:
    return batch_of(request, XaiBatch, _MISSING)


_ROUTES = [
    Route("/files", upload, methods=["POST"]),
    *files_api.FILE_ROUTES,
    Route("/batches", create_batch, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}:cancel", cancel, methods=["POST"]),
    Route("/batches/{batch_id}", retrieve),
    Route("/batches/{batch_id}/results", results),
]
