"""Gemini's files: resumable uploads, what is known of a file, and the download of results.

https://ai.google.dev/api/files
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from local.simulator.addresses import base_of
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.files import File
from local.simulator.gemini.batches import name_of, to_text
from local.simulator.requests import json_body, json_response, simulator_of

MOST_BYTES = 2_000_000_000
_SECONDS_KEPT = 48 * 3600
_GENERATED = "batch_output"


async def upload(request: Request) -> Response:
    """Either call of a resumable upload: the one that begins it, or the one that brings all bytes."""
    command = request.headers.get("x-goog-upload-command", "")
    if command == "start":
        return await _begin(request)
    if command == "upload, finalize" and request.headers.get("x-goog-upload-offset") == "0":
        return await _finish(request)
    raise ApiError(400, "Only a start, and an upload of all bytes in one piece, are understood.")


async def _begin(request: Request) -> Response:
    """What was announced is the upload's id: nothing is kept of one that never comes."""
    size = request.headers.get("x-goog-upload-header-content-length", "")
    if request.headers.get("x-goog-upload-protocol") != "resumable" or not size.isdecimal():
        raise ApiError(400, "A resumable upload begins with the length of what is to come.")
    if int(size) > MOST_BYTES:
        raise ApiError(400, f"The file size exceeds the limit of {MOST_BYTES} bytes.")
    file = (await json_body(request)).get("file")
    if not isinstance(file, dict) or not file.keys() <= {"name", "displayName", "mimeType"}:
        raise ApiError(400, "Invalid value at 'file'.")
    announced = orjson.dumps({"size": int(size), "name": str(file.get("displayName") or "")})
    base = base_of(f"{request.url.scheme}://{request.url.netloc}", "gemini")
    query = f"upload_id={urlsafe_b64encode(announced).decode()}&upload_protocol=resumable"
    response = Response(b"")
    response.headers["x-goog-upload-url"] = f"{base}/upload/v1beta/files?{query}"
    response.headers["x-goog-upload-status"] = "active"
    return response


async def _finish(request: Request) -> Response:
    announced = _announced(request)
    files = simulator_of(request).files
    path = files.new_path()
    digest = await _store(request, path)
    if path.stat().st_size != announced["size"]:
        path.unlink()
        raise ApiError(400, "The upload has another length than was announced.")
    request.state.call.digest = digest
    file = files.add(path, filename=announced["name"], purpose="batch", expires_after=_SECONDS_KEPT)
    return json_response({"file": _to_object(file)})


def _announced(request: Request) -> Json:
    try:
        found: Any = orjson.loads(urlsafe_b64decode(request.query_params.get("upload_id", "")))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ApiError(404, "There is no such upload.")
    return found


async def _store(request: Request, path: Path) -> str:
    """Piece by piece: it may be large. Returns the first 16 hex digits of its SHA-256."""
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        async for piece in request.stream():
            hashed.update(piece)
            file.write(piece)
    return hashed.hexdigest()[:16]


async def retrieve(request: Request) -> Response:
    return json_response(_to_object(file_named(request, _name_in(request))))


async def delete(request: Request) -> Response:
    simulator_of(request).files.delete(file_named(request, _name_in(request)).id)
    return json_response({})


async def download(request: Request) -> Response:
    """The bytes of a file of results, or the range of them that the call asks for."""
    file = file_named(request, _name_in(request))
    if file.purpose != _GENERATED or request.query_params.get("alt") != "media":
        raise ApiError(400, "Only media of files that were generated can be downloaded.")
    return FileResponse(file.path, media_type="application/octet-stream")


def file_named(request: Request, name: str) -> File:
    """Raises ApiError, a 404, for a name that is none."""
    file = simulator_of(request).files.find(name.removeprefix("files/"))
    if file is None or not name.startswith("files/"):
        raise ApiError(404, f"The File {name} does not exist.")
    return file


def _name_in(request: Request) -> str:
    return f"files/{request.path_params['file_id']}"


def _to_object(file: File) -> Json:
    base = "https://generativelanguage.googleapis.com/v1beta"
    return {
        "name": name_of(file),
        "displayName": file.filename,
        "mimeType": "application/jsonl",
        "sizeBytes": str(file.size),
        "createTime": to_text(file.created_at),
        "updateTime": to_text(file.created_at),
        "expirationTime": to_text(file.expires_at or file.created_at + _SECONDS_KEPT),
        "uri": f"{base}/{name_of(file)}",
        "state": "ACTIVE",
        "source": "GENERATED" if file.purpose == _GENERATED else "UPLOADED",
    }


ROUTES = [
    Route("/upload/files", upload, methods=["POST"]),
    Route("/files/{file_id}", retrieve),
    Route("/files/{file_id}", delete, methods=["DELETE"]),
    Route("/download/files/{file_id}:download", download),
]
