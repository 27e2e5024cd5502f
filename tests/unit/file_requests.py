"""Requests for the Files API, as the tests make them."""

from __future__ import annotations

from typing import Any

from nightmail.file import Segment, StoredFile

from functions.files.handler import handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.multipart import form_event

LINE = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
NOW = 1_795_226_400


def create(
    content: bytes = LINE,
    name: str = "in.jsonl",
    purpose: str = "batch",
    owner: str = "admin",
) -> Answer:
    event = form_event("/files", {"purpose": purpose}, {"file": (name, content)}, owner=owner)
    return ask(handler, event)


def get(path: str, *, owner: str = "admin", **query: str) -> Answer:
    return ask(handler, proxy_event("GET", path, owner=owner, query=query))


def content_of(file_id: str, **headers: str) -> Answer:
    return ask(handler, proxy_event("GET", f"/files/{file_id}/content", headers=headers))


def stored(file_id: str = "file-1", **fields: Any) -> StoredFile:
    given = {
        "id": file_id,
        "owner": "admin",
        "bytes": 3,
        "created_at": NOW,
        "filename": "a.txt",
        "purpose": "user_data",
        "segments": [Segment(key=f"files/admin/{file_id}", size=3)],
    }
    return StoredFile.model_validate(given | fields)
