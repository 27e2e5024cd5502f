"""The S3 door, inward: an object put under `inbox/` becomes a file and a batch.

Notifications come at least once and in any order. The ids are derived from the put, and the object
is copied only while it is the one that was told of: each put makes one batch at most, and what was
overwritten meanwhile is left to its own notification.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from nightmail.door import REFUSAL, Drop, answer_key, refusal
from nightmail.errors import InvalidRequest, NotFound, TooLarge, WriteConflict
from nightmail.file import Segment, StoredFile, object_key
from nightmail.new_batch import NewBatch, parse_new_batch
from nightmail.new_file import BATCH, expiry
from nightmail.stores.objects import ObjectStore, Stat
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

_MOST_SIDECAR_BYTES = 64 * 1024
_MOST_LINE_BYTES = 8 * 1024 * 1024


def receive_inbox(drop: Drop, stores: Stores, most_bytes: int, now: int) -> str | None:
    """The id of the batch that `drop` became, at Unix second `now`; None where it became none.

    What cannot be taken, a file over `most_bytes` for one, is told in an `.error.json` under `outbox/`.
    """
    if not drop.is_request:
        return None
    try:
        return _take(drop, stores, most_bytes, now)
    except (InvalidRequest, TooLarge) as error:
        logger.info("refused", extra={"reason": error.message})
        why = refusal(drop.batch_id, error.message, error.param, error.code)
        stores.objects.put(answer_key(drop.path, REFUSAL), why, "application/json")
    except (NotFound, WriteConflict):
        logger.info("changed or gone since")
    return None


def _take(drop: Drop, stores: Stores, most_bytes: int, now: int) -> str:
    stat = stores.objects.stat(drop.key)
    if stat.etag != drop.etag:
        raise WriteConflict(f"The object {drop.key} has changed.")
    drop.check_name()
    if stat.size > most_bytes:
        raise TooLarge(f"The file has {stat.size} bytes; a batch takes {most_bytes}.")
    if stores.batches.find(drop.owner, drop.batch_id) is None:
        asked = _asked(drop, stat, stores.objects)
        _copy(drop, stat, stores, now)
        batch = asked.batch(drop.batch_id, drop.owner, now, inbox=drop.origin)
        with suppress(WriteConflict):  # a repeated notification was faster
            stores.batches.create(batch)
    return drop.batch_id


def _asked(drop: Drop, stat: Stat, objects: ObjectStore) -> NewBatch:
    """Object metadata is closest to the file, so it wins over the sidecar."""
    body = {
        "completion_window": "24h",
        **_sidecar(drop.sidecar, objects),
        **_of_metadata(stat.metadata),
        "input_file_id": drop.file_id,
    }
    if "endpoint" not in body:
        body["endpoint"] = _first_url(objects.chunks([Segment(key=drop.key, size=stat.size)]))
    return parse_new_batch(body)


def _copy(drop: Drop, stat: Stat, stores: Stores, now: int) -> None:
    """The record comes first: an object without one would never be erased."""
    target = Segment(key=object_key(drop.owner, drop.file_id), size=stat.size)
    file = StoredFile(
        id=drop.file_id,
        owner=drop.owner,
        bytes=stat.size,
        created_at=now,
        expires_at=expiry(BATCH, None, now),
        filename=drop.filename,
        purpose=BATCH,
        segments=[target],
    )
    stores.files.create(file)
    try:
        stores.objects.copy(drop.key, target.key, if_match=drop.etag)
    except (NotFound, WriteConflict):
        # A repeated notification may have been faster: then the record is its batch's.
        if stores.batches.find(drop.owner, drop.batch_id) is None:
            stores.files.delete(drop.owner, drop.file_id)
        raise


def _sidecar(key: str, objects: ObjectStore) -> dict[str, Any]:
    """Found by listing: S3 answers 403 for what is not there, where a role may list some prefixes only."""
    found = [entry for entry in objects.segments(key) if entry.key == key]
    if not found:
        return {}
    if found[0].size > _MOST_SIDECAR_BYTES:
        raise InvalidRequest(f"The sidecar {key} is over {_MOST_SIDECAR_BYTES} bytes.")
    try:
        return _json_object(objects.get(key), f"The sidecar {key}")
    except NotFound:  # gone since it was listed
        return {}


def _first_url(chunks: Iterator[bytes]) -> Any:
    line = _first_line(chunks)
    if not line:
        raise InvalidRequest("The file is empty.", code="empty_file")
    with suppress(ValueError, TypeError, KeyError):
        return orjson.loads(line)["url"]
    raise InvalidRequest(
        "The first line has no 'url', so the endpoint is unknown. Mend the line, or give the "
        "endpoint as metadata of the object or in a sidecar.",
        param="endpoint",
        code="missing_required_parameter",
    )


def _first_line(chunks: Iterator[bytes]) -> bytes:
    """The first line that is not blank, up to the length that a request may have."""
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip()
        if b"\n" in head or len(head) > _MOST_LINE_BYTES:
            break
    return head.split(b"\n", 1)[0]


def _of_metadata(metadata: dict[str, str]) -> dict[str, Any]:
    """The object's `x-amz-meta-` headers as fields of a request for a batch."""
    asked: dict[str, Any] = {}
    if "endpoint" in metadata:
        asked["endpoint"] = metadata["endpoint"]
    if "completion-window" in metadata:
        asked["completion_window"] = metadata["completion-window"]
    for name in ("metadata", "nightmail"):
        if name in metadata:
            asked[name] = _json_object(metadata[name].encode(), f"x-amz-meta-{name}")
    if "output-expires-after" in metadata:
        seconds = metadata["output-expires-after"]
        number = int(seconds) if seconds.isdecimal() else seconds
        asked["output_expires_after"] = {"anchor": "created_at", "seconds": number}
    return asked


def _json_object(text: bytes, where: str) -> dict[str, Any]:
    with suppress(ValueError):
        value = orjson.loads(text)
        if isinstance(value, dict):
            return value
    raise InvalidRequest(f"{where} has to be a JSON object.")
