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
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore, Stat
from nightmail.telemetry import logger

_MOST_SIDECAR_BYTES = 64 * 1024
_MOST_LINE_BYTES = 8 * 1024 * 1024
_FILE_SECONDS = 30 * 24 * 3600


class Inbox:
    def __init__(
        self, objects: ObjectStore, files: FileStore, batches: BatchStore, most_bytes: int
    ) -> None:
        self._objects = objects
        self._files = files
        self._batches = batches
        self._most_bytes = most_bytes

    def receive(self, drop: Drop, now: int) -> str | None:
        """The id of the batch that `drop` became, at Unix second `now`; None where it became none.

        What cannot be taken is told in an `.error.json` under `outbox/`.
        """
        logger.append_keys(key=drop.key)
        if not drop.is_request:
            return None
        try:
            return self._take(drop, now)
        except (InvalidRequest, TooLarge) as error:
            logger.info("refused", extra={"reason": error.message})
            why = refusal(error.message, error.param, error.code)
            self._objects.put(answer_key(drop.path, REFUSAL), why, "application/json")
        except (NotFound, WriteConflict):
            logger.info("changed or gone since")
        return None

    def _take(self, drop: Drop, now: int) -> str:
        stat = self._objects.stat(drop.key)
        if stat.etag != drop.etag:
            raise WriteConflict(f"The object {drop.key} has changed.")
        drop.check_name()
        if self._batches.find(drop.owner, drop.batch_id) is None:
            asked = self._asked(drop, stat)
            self._copy(drop, stat, now)
            batch = asked.batch(drop.batch_id, drop.owner, now, inbox=drop.origin)
            with suppress(WriteConflict):  # a repeated notification was faster
                self._batches.create(batch)
        return drop.batch_id

    def _asked(self, drop: Drop, stat: Stat) -> NewBatch:
        """Object metadata is closest to the file, so it wins over the sidecar."""
        if stat.size > self._most_bytes:
            raise TooLarge(f"The file has {stat.size} bytes; a batch takes {self._most_bytes}.")
        body = {"completion_window": "24h", **self._sidecar(drop), **_of_metadata(stat.metadata)}
        if "endpoint" not in body:
            body["endpoint"] = self._first_url(Segment(key=drop.key, size=stat.size))
        return parse_new_batch({**body, "input_file_id": drop.file_id})

    def _sidecar(self, drop: Drop) -> dict[str, Any]:
        """Found by listing: where a role may not list everything, S3 answers 403 for what is not there."""
        found = [
            entry for entry in self._objects.segments(drop.sidecar) if entry.key == drop.sidecar
        ]
        if not found:
            return {}
        if found[0].size > _MOST_SIDECAR_BYTES:
            raise InvalidRequest(f"The sidecar {drop.sidecar} is over {_MOST_SIDECAR_BYTES} bytes.")
        return _json_object(self._objects.get(drop.sidecar), f"The sidecar {drop.sidecar}")

    def _first_url(self, segment: Segment) -> Any:
        line = _first_line(self._objects.chunks([segment]))
        with suppress(ValueError, TypeError, KeyError):
            return orjson.loads(line)["url"]
        raise InvalidRequest(
            "The first line has no 'url', so the endpoint is unknown. Mend the line, or give the "
            "endpoint as metadata of the object or in a sidecar.",
            param="endpoint",
            code="missing_required_parameter",
        )

    def _copy(self, drop: Drop, stat: Stat, now: int) -> None:
        """The record comes first: an object without one would never be erased."""
        target = Segment(key=object_key(drop.owner, drop.file_id), size=stat.size)
        self._files.create(
            StoredFile(
                id=drop.file_id,
                owner=drop.owner,
                bytes=stat.size,
                created_at=now,
                expires_at=now + _FILE_SECONDS,
                filename=drop.filename,
                purpose="batch",
                segments=[target],
            )
        )
        try:
            self._objects.copy(drop.key, target.key, if_match=drop.etag)
        except (NotFound, WriteConflict):
            self._files.delete(drop.owner, drop.file_id)
            raise


def _of_metadata(metadata: dict[str, str]) -> dict[str, Any]:
    """The object's `x-amz-meta-` headers as fields of a request for a batch."""
    asked: dict[str, Any] = {}
    if "endpoint" in metadata:
        asked["endpoint"] = metadata["endpoint"]
    if "completion-window" in metadata:
        asked["completion_window"] = metadata["completion-window"]
    if "metadata" in metadata:
        asked["metadata"] = _json_object(metadata["metadata"].encode(), "x-amz-meta-metadata")
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


def _first_line(chunks: Iterator[bytes]) -> bytes:
    """The first line that is not blank, up to the length that a request may have."""
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip()
        if b"\n" in head or len(head) > _MOST_LINE_BYTES:
            break
    return head.split(b"\n", 1)[0]
