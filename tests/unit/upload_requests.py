"""Requests for the Uploads API, as the tests make them."""

from __future__ import annotations

from typing import Any

import orjson

from functions.files.handler import handler as files_handler
from functions.uploads.handler import handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.multipart import form_event

NOW = 1_795_226_400
LINES = [b'{"custom_id": "a"}\n', b'{"custom_id": "b"}\n', b'{"custom_id": "c"}\n']
WANTED: dict[str, Any] = {
    "filename": "in.jsonl",
    "purpose": "batch",
    "bytes": sum(map(len, LINES)),
    "mime_type": "application/jsonl",
}


def post(path: str, body: Any = None, owner: str = "admin") -> Answer:
    text = None if body is None else orjson.dumps(body).decode()
    return ask(handler, proxy_event("POST", path, body=text, owner=owner))


def begin(**fields: Any) -> str:
    upload_id: str = post("/uploads", WANTED | fields).json["id"]
    return upload_id


def add(upload_id: str, data: bytes, owner: str = "admin") -> Answer:
    path = f"/uploads/{upload_id}/parts"
    return ask(handler, form_event(path, {}, {"data": ("upload", data)}, owner=owner))


def begin_with_parts(parts: list[bytes], **fields: Any) -> tuple[str, list[str]]:
    upload_id = begin(**{"bytes": sum(map(len, parts))} | fields)
    return upload_id, [add(upload_id, part).json["id"] for part in parts]


def complete(upload_id: str, part_ids: Any, **fields: Any) -> Answer:
    return post(f"/uploads/{upload_id}/complete", {"part_ids": part_ids} | fields)


def content_of(file_id: str) -> bytes:
    return ask(files_handler, proxy_event("GET", f"/files/{file_id}/content")).content
