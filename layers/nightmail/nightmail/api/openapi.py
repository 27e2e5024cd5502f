"""The API's own OpenAPI document: `openapi.yaml`, with the words that the code knows filled in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from nightmail.batch import BatchStatus
from nightmail.chunk import ChunkState
from nightmail.endpoints import ENDPOINTS
from nightmail.file import FileStatus, UploadStatus
from nightmail.new_batch import WINDOW_PATTERN
from nightmail.new_file import PURPOSES
from nightmail.shard import ShardState

_TEXT = Path(__file__).with_name("openapi.yaml")
_WORDS: dict[str, Iterable[str]] = {
    "BatchStatus": BatchStatus,
    "ChunkState": ChunkState,
    "Endpoint": ENDPOINTS,
    "FileStatus": FileStatus,
    "Purpose": PURPOSES,
    "ShardState": ShardState,
    "UploadStatus": UploadStatus,
}


def api_document(server: str) -> dict[str, Any]:
    """The document of an API whose routes lie under the URL or path `server`."""
    return {**_document(), "servers": [{"url": server}]}


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_TEXT.read_text())
    schemas = document["components"]["schemas"]
    for name, words in _WORDS.items():
        schemas[name] = {"type": "string", "enum": [str(word) for word in words]}
    schemas["CompletionWindow"]["pattern"] = f"^{WINDOW_PATTERN}$"
    return document
