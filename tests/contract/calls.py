"""Calls of the API by a plain HTTP client, as the tests make them again and again."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.simulated import as_jsonl, chat, line
from tests.template import Json

BATCH = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
UPLOAD = {"filename": "in.jsonl", "purpose": "batch", "bytes": 2, "mime_type": "application/jsonl"}
LINES = [line(1), line(2), line(3, chat("[[fail:400]]"))]


def upload_file(http: httpx.Client, content: bytes, **fields: str) -> str:
    answer = http.post(
        "/files", data={"purpose": "batch", **fields}, files={"file": ("in.jsonl", content)}
    )
    return str(answer.raise_for_status().json()["id"])


def create_batch(http: httpx.Client, content: bytes | None = None, **fields: Any) -> str:
    file_id = upload_file(http, as_jsonl(LINES) if content is None else content)
    answer = http.post("/batches", json={"input_file_id": file_id, **BATCH, **fields})
    return str(answer.raise_for_status().json()["id"])


def look(http: httpx.Client, batch_id: str) -> Json:
    batch: Json = http.get(f"/batches/{batch_id}").raise_for_status().json()
    return batch


def results(http: httpx.Client, file_id: str) -> list[Json]:
    content = http.get(f"/files/{file_id}/content").raise_for_status().content
    return [json.loads(each) for each in content.splitlines()]


def complete_upload(http: httpx.Client) -> None:
    """Make a file of one part."""
    path = f"/uploads/{http.post('/uploads', json=UPLOAD).raise_for_status().json()['id']}"
    part = http.post(f"{path}/parts", files={"data": b"{}"}).raise_for_status().json()
    http.post(f"{path}/complete", json={"part_ids": [part["id"]]}).raise_for_status()
