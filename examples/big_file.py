"""Upload a file that is too big for one request, in two ways. Before: set -a; . .local/env

python examples/big_file.py big.jsonl            through the gateway, in parts of 4 MB
python examples/big_file.py big.jsonl --s3       straight to S3, by presigned URLs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

client = OpenAI()


def through_the_gateway(path: Path) -> str:
    """The id of the file. Nothing here is special to Nightmail but the size of a part."""
    upload = client.uploads.upload_file_chunked(
        file=path, mime_type="application/jsonl", purpose="batch", part_size=4 * 1024 * 1024
    )
    assert upload.file
    return upload.file.id


def straight_to_s3(path: Path) -> str:
    """The id of the file. The new upload says how big a part is, and where each goes."""
    upload = client.uploads.create(
        bytes=path.stat().st_size,
        filename=path.name,
        mime_type="application/jsonl",
        purpose="batch",
    )
    page: dict[str, Any] = (upload.model_extra or {})["nightmail"]
    part_ids = []
    with path.open("rb") as file:
        for part in parts(page):
            httpx.put(part["url"], content=file.read(page["part_bytes"])).raise_for_status()
            part_ids.append(part["part_id"])
    completed = client.uploads.complete(upload.id, part_ids=part_ids)
    assert completed.file
    return completed.file.id


def parts(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The URLs come in pages; the next one is asked for when it is needed, and signed then."""
    yield from page["part_urls"]
    while page["next"]:
        page = client.get(page["next"], cast_to=dict[str, Any])
        yield from page["part_urls"]


if __name__ == "__main__":
    upload_file = straight_to_s3 if "--s3" in sys.argv else through_the_gateway
    print(upload_file(Path(sys.argv[1])))
