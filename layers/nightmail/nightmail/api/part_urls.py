"""The extension of the Uploads API: presigned URLs by which parts go straight to S3, in pages.

The ids of these parts follow from the upload's id and their numbers, so URLs can be asked for again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from nightmail.file import Upload, parts_prefix
from nightmail.stores.objects import ObjectStore

MAX_PARTS = 2200  # the keys of a file's parts have to fit into one item of the table: 400 KB
FIRST_PAGE = 20
BIGGEST_PAGE = 500  # a URL has about 2 KB, an answer at most 6 MB
_PART_BYTES = 8 * 1024 * 1024


def part_bytes(upload: Upload) -> int:
    """The size of each part but the last: S3 joins them without reading where it is 5 MB or more."""
    return max(_PART_BYTES, -(-upload.bytes // MAX_PARTS))


def part_id(upload_id: str, number: int) -> str:
    """The id of the part with this 1-based number."""
    return f"part_{hashlib.sha256(f'{upload_id}/{number}'.encode()).hexdigest()[:32]}"


def part_count(upload: Upload) -> int:
    """How many parts of that size it has."""
    return -(-upload.bytes // part_bytes(upload))


def url_page(
    upload: Upload, objects: ObjectStore, now: int, after: int = 0, limit: int = FIRST_PAGE
) -> dict[str, Any]:
    """The URLs of at most `limit` parts behind part number `after`, and where to ask for the next.

    They live as long as the upload does.
    """
    count = part_count(upload)
    last = min(count, after + limit)
    return {
        "part_bytes": part_bytes(upload),
        "part_urls": [
            _url(upload, number, objects, upload.expires_at - now)
            for number in range(after + 1, last + 1)
        ],
        "next": f"/uploads/{upload.id}/urls?after={last}" if last < count else None,
    }


def _url(upload: Upload, number: int, objects: ObjectStore, seconds: int) -> dict[str, Any]:
    name = part_id(upload.id, number)
    key = f"{parts_prefix(upload.owner, upload.id)}{name}"
    return {"part_id": name, "number": number, "url": objects.presign_put(key, seconds)}
