"""The Files API: `/files` and below."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from local.simulator.errors import (
    ApiError,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)
from local.simulator.requests import json_response, page, simulator_of

_PURPOSES = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
_FIELDS = {"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"}
_PIECE = 1024 * 1024
_MOST_LISTED = 10_000
_LEAST_SECONDS, _MOST_SECONDS = 3600, 30 * 24 * 3600


async def create(request: Request) -> Response:
    """The upload goes through a temporary file, piece by piece: it may be large."""
    try:
        async with request.form() as form:
            return await _create(request, form)
    except MultiPartException as error:
        raise ApiError(400, f"The multipart form is broken: {error.message}") from error


async def _create(request: Request, form: FormData) -> Response:
    upload, purpose = _check(form)
    files = simulator_of(request).files
    path = files.new_path()
    request.state.call.digest = await asyncio.to_thread(store, upload, path)
    if purpose == "batch":
        _check_batch_file(upload, path)
    file = files.add(
        path,
        filename=upload.filename or "",
        purpose=purpose,
        expires_after=_expiry(form),
    )
    return json_response(file.to_object())


def _check(form: FormData) -> tuple[UploadFile, str]:
    for name in form:
        if name not in _FIELDS:
            raise unknown_parameter(name)
    upload, purpose = form.get("file"), form.get("purpose")
    if upload is None or purpose is None:
        raise missing_parameter("file" if upload is None else "purpose")
    if not isinstance(upload, UploadFile):
        raise invalid_type("file", "a file", upload)
    if purpose not in _PURPOSES:
        raise invalid_value("purpose", purpose, _PURPOSES)
    return upload, str(purpose)


def _expiry(form: FormData) -> int | None:
    if not {"expires_after[anchor]", "expires_after[seconds]"} & set(form):
        return None
    if form.get("expires_after[anchor]") != "created_at":
        raise invalid_value(
            "expires_after.anchor", form.get("expires_after[anchor]"), ["created_at"]
        )
    seconds = str(form.get("expires_after[seconds]", ""))
    if not seconds.isdecimal() or not _LEAST_SECONDS <= int(seconds) <= _MOST_SECONDS:
        raise out_of_range("expires_after.seconds", _LEAST_SECONDS, _MOST_SECONDS)
    return int(seconds)


def store(upload: UploadFile, path: Path) -> str:
    """Copy an upload to its place; returns the first 16 hex digits of its SHA-256."""
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        while piece := upload.file.read(_PIECE):
            hashed.update(piece)
            file.write(piece)
    return hashed.hexdigest()[:16]


def _check_batch_file(upload: UploadFile, path: Path) -> None:
    """Raises ApiError, a 400, for what OpenAI sees at once; the rest fails the batch later."""
    problem = None
    if not (upload.filename or "").endswith(".jsonl"):
        problem = "Must be .jsonl"
    elif not path.stat().st_size:
        problem = "The file is empty"
    elif not _begins_with_json(path):
        problem = "The first line is not valid JSON"
    if problem:
        path.unlink()
        raise ApiError(400, f"Invalid file format for Batch API. {problem}")


def _begins_with_json(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline().removeprefix(b"\xef\xbb\xbf")
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return True


async def list_files(request: Request) -> Response:
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, ["asc", "desc"])
    purpose = request.query_params.get("purpose")
    files = [file for file in simulator_of(request).files.all() if purpose in (None, file.purpose)]
    ordered = files if order == "asc" else files[::-1]
    return page(ordered, request, default=_MOST_LISTED, most=_MOST_LISTED)


async def retrieve(request: Request) -> Response:
    file = simulator_of(request).files.get(request.path_params["file_id"])
    return json_response(file.to_object())


async def delete(request: Request) -> Response:
    file_id = request.path_params["file_id"]
    simulator_of(request).files.delete(file_id)
    return json_response({"id": file_id, "object": "file", "deleted": True})


async def content(request: Request) -> Response:
    """The bytes of a file, or the range of them that the call asks for."""
    file = simulator_of(request).files.get(request.path_params["file_id"])
    return FileResponse(file.path, media_type="application/octet-stream", filename=file.filename)


FILE_ROUTES = [
    Route("/files/{file_id}", retrieve),
    Route("/files/{file_id}", delete, methods=["DELETE"]),
    Route("/files/{file_id}/content", content),
]
"""Of one file, wherever it was uploaded to."""
ROUTES = [
    Route("/files", create, methods=["POST"]),
    Route("/files", list_files),
    *FILE_ROUTES,
]
