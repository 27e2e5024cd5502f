"""The Uploads API: big files in parts, through the gateway or straight to S3.

A part is an object under its upload's prefix, named by the part's id. A completed upload is a file
that lists its parts; join_file makes one object of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nightmail.api.files import check_size, to_file_object
from nightmail.api.forms import Form
from nightmail.api.part_urls import BIGGEST_PAGE, MAX_PARTS, url_page
from nightmail.errors import InvalidRequest, NotFound, WriteConflict
from nightmail.file import FileStatus, Segment, StoredFile, Upload, UploadStatus, parts_prefix
from nightmail.ids import new_file_id, new_part_id, new_upload_id
from nightmail.new_file import check_content, check_name, expires_after, expiry, purpose_of
from nightmail.parameters import integer, integer_text, required, string, strings
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.uploads import UploadStore

UPLOAD_SECONDS = 3600
# As much as `complete` can read within its 25 seconds, at 60 MB and 20 objects a second or better.
INLINE_MD5_BYTES = 256 * 1024 * 1024
INLINE_MD5_PARTS = 100
_LONGEST_FILENAME = 1024
_LONGEST_TYPE = 255
_MD5 = re.compile("[0-9A-Fa-f]{32}")


@dataclass(frozen=True)
class Completion:
    """The body of `POST /uploads/{upload_id}/complete`; `md5` is hexadecimal."""

    part_ids: list[str]
    md5: str | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Completion:
        """Raises InvalidRequest."""
        part_ids = strings(required(body, "part_ids", "part_ids"), "part_ids", MAX_PARTS)
        md5 = body.get("md5")
        if md5 is not None and not _MD5.fullmatch(string(md5, "md5", 32)):
            raise InvalidRequest(
                "Invalid 'md5': expected 32 hexadecimal digits.", param="md5", code="invalid_value"
            )
        return cls(part_ids, md5.lower() if md5 else None)

    @property
    def digest(self) -> str:
        """What a repeated request is recognised by."""
        return hashlib.sha256(repr((self.part_ids, self.md5)).encode()).hexdigest()


def to_upload_object(upload: Upload, now: int, file: StoredFile | None = None) -> dict[str, Any]:
    """OpenAI's Upload object."""
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes,
        "created_at": upload.created_at,
        "expires_at": upload.expires_at,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status_at(now).value,
        "file": to_file_object(file) if file else None,
    }


class Uploads:
    """The requests about uploads. `clock` answers the Unix second.

    All raise NotFound for an unknown upload and for another owner's, and InvalidRequest.
    """

    def __init__(
        self,
        uploads: UploadStore,
        files: FileStore,
        objects: ObjectStore,
        clock: Callable[[], int],
    ) -> None:
        self._uploads = uploads
        self._files = files
        self._objects = objects
        self._clock = clock

    def create(self, owner: str, body: Mapping[str, Any], most_bytes: int) -> dict[str, Any]:
        """A pending upload, with the first URLs for parts that go straight to S3."""
        now = self._clock()
        filename = string(required(body, "filename", "filename"), "filename", _LONGEST_FILENAME)
        mime_type = string(required(body, "mime_type", "mime_type"), "mime_type", _LONGEST_TYPE)
        purpose = purpose_of(body)
        check_name(purpose, filename, "filename")
        upload = Upload(
            id=new_upload_id(),
            owner=owner,
            bytes=integer(required(body, "bytes", "bytes"), "bytes", 1, most_bytes),
            created_at=now,
            expires_at=now + UPLOAD_SECONDS,
            filename=filename,
            purpose=purpose,
            mime_type=mime_type,
            expires_after=expires_after(body.get("expires_after"), "expires_after"),
        )
        self._uploads.create(upload)
        urls = url_page(upload, self._objects, now)
        return {**to_upload_object(upload, now), "nightmail": urls}

    def add_part(self, owner: str, upload_id: str, form: Form, most_bytes: int) -> dict[str, Any]:
        """Keep the form's `data`. Raises TooLarge over `most_bytes`."""
        now = self._clock()
        self._pending(owner, upload_id, now)
        data = form.file("data").content
        check_size(data, most_bytes, "data")
        part_id = new_part_id()
        self._objects.put(f"{parts_prefix(owner, upload_id)}{part_id}", data)
        return {"id": part_id, "object": "upload.part", "created_at": now, "upload_id": upload_id}

    def part_urls(self, owner: str, upload_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of URLs, signed anew."""
        now = self._clock()
        after = integer_text(query.get("after", "0"), "after", 0, MAX_PARTS)
        limit = integer_text(query.get("limit", "100"), "limit", 1, BIGGEST_PAGE)
        return url_page(self._pending(owner, upload_id, now), self._objects, now, after, limit)

    def complete(self, owner: str, upload_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a file of the parts, in the order of `part_ids`; once more answers the same."""
        now = self._clock()
        asked = Completion.of(body)
        upload = self._uploads.get(owner, upload_id)
        if upload.completion == asked.digest:
            return self._completed(upload, now)
        _check_pending(upload, now)
        file = self._new_file(upload, asked, now)
        try:
            return to_upload_object(self._uploads.complete(upload, file, asked.digest), now, file)
        except WriteConflict:
            return self._completed_by_another(upload, asked, now)

    def cancel(self, owner: str, upload_id: str) -> dict[str, Any]:
        """Delete what has arrived; a cancelled one stays cancelled."""
        now = self._clock()
        upload = self._uploads.get(owner, upload_id)
        if upload.status is not UploadStatus.CANCELLED:
            _check_pending(upload, now)
            upload = self._uploads.cancel(upload)
        self._objects.delete([part.key for part in self._arrived(upload)])
        return to_upload_object(upload, now)

    def _pending(self, owner: str, upload_id: str, now: int) -> Upload:
        upload = self._uploads.get(owner, upload_id)
        _check_pending(upload, now)
        return upload

    def _completed(self, upload: Upload, now: int) -> dict[str, Any]:
        """Without the file where it has been deleted since."""
        try:
            file = self._files.get(upload.owner, upload.file_id or "", now)
        except NotFound:
            return to_upload_object(upload, now)
        return to_upload_object(upload, now, file)

    def _completed_by_another(self, upload: Upload, asked: Completion, now: int) -> dict[str, Any]:
        latest = self._uploads.get(upload.owner, upload.id)
        if latest.completion == asked.digest:
            return self._completed(latest, now)
        _check_pending(latest, now)
        raise WriteConflict("Somebody else is changing this upload; try again.")

    def _arrived(self, upload: Upload) -> Iterator[Segment]:
        return self._objects.segments(parts_prefix(upload.owner, upload.id))

    def _new_file(self, upload: Upload, asked: Completion, now: int) -> StoredFile:
        """The file that the parts make, once they are found to be what was promised."""
        parts = _in_order(asked.part_ids, self._arrived(upload))
        _check_total(parts, upload.bytes)
        check_content(upload.purpose, self._objects.chunks(parts), "part_ids")
        is_short = upload.bytes <= INLINE_MD5_BYTES and len(parts) <= INLINE_MD5_PARTS
        if asked.md5 and is_short and self._objects.md5(parts) != asked.md5:
            raise InvalidRequest("The bytes that arrived have another MD5 checksum.", param="md5")
        return StoredFile(
            id=new_file_id(),
            owner=upload.owner,
            bytes=upload.bytes,
            created_at=now,
            expires_at=expiry(upload.purpose, upload.expires_after, now),
            filename=upload.filename,
            purpose=upload.purpose,
            status=FileStatus.UPLOADED if asked.md5 and not is_short else FileStatus.PROCESSED,
            segments=parts,
            md5=asked.md5,
            upload_id=upload.id,
        )


def _in_order(part_ids: Sequence[str], arrived: Iterable[Segment]) -> list[Segment]:
    """The parts as `part_ids` orders them."""
    left = {part.key.rpartition("/")[2]: part for part in arrived}
    parts = []
    for part_id in part_ids:
        if part_id not in left:
            raise InvalidRequest(
                f"'{part_id}' is no part of this upload, or is named twice.", param="part_ids"
            )
        parts.append(left.pop(part_id))
    return parts


def _check_total(parts: Sequence[Segment], promised: int) -> None:
    total = sum(part.size for part in parts)
    if total != promised:
        raise InvalidRequest(
            f"The parts have {total} bytes together, but the upload was created with {promised}.",
            param="part_ids",
        )


def _check_pending(upload: Upload, now: int) -> None:
    status = upload.status_at(now)
    if status is not UploadStatus.PENDING:
        raise InvalidRequest(
            f"Upload '{upload.id}' is {status}; only a pending one can be changed. Create another.",
            param="upload_id",
        )
