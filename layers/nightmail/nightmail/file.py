"""Files and uploads as they are stored. A file is a list of segments: objects read one after another."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FileStatus(StrEnum):
    """OpenAI's words."""

    UPLOADED = "uploaded"  # its bytes are here, its md5 is not checked yet
    PROCESSED = "processed"
    ERROR = "error"


class Segment(BaseModel):
    """One object of a file: its key in the bucket and its size in bytes."""

    model_config = ConfigDict(frozen=True)

    key: str
    size: int


def object_key(owner: str, file_id: str) -> str:
    """Where the bytes of a file lie when they are one object."""
    return f"files/{owner}/{file_id}"


class StoredFile(BaseModel):
    """A file of one owner. Times are Unix seconds; `version` counts the writes."""

    v: Literal[1] = 1
    version: int = 1
    id: str
    owner: str
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str
    status: FileStatus = FileStatus.PROCESSED
    status_details: str | None = None
    segments: list[Segment]
    md5: str | None = None  # hexadecimal, as the caller gave it
    upload_id: str | None = None  # the upload that it was completed from
    join_asked_at: int | None = None  # when join_file was last asked for more

    @property
    def is_joined(self) -> bool:
        """Whether its bytes are one object, which a presigned URL can name."""
        return [segment.key for segment in self.segments] == [object_key(self.owner, self.id)]

    def is_expired(self, now: int) -> bool:
        """DynamoDB's TTL may delete days late, so readers compare the time as well."""
        return self.expires_at is not None and self.expires_at <= now


class UploadStatus(StrEnum):
    """OpenAI's words."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ExpiresAfter(BaseModel):
    """OpenAI's `expires_after`: seconds after the file's creation."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(ge=3600, le=2_592_000)


def parts_prefix(owner: str, upload_id: str) -> str:
    """Where the parts of an upload lie: one object each, named by the part's id."""
    return f"uploads/{owner}/{upload_id}/"


class Upload(BaseModel):
    """A big file that arrives in parts. Times are Unix seconds."""

    v: Literal[1] = 1
    id: str
    owner: str
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    mime_type: str
    expires_after: ExpiresAfter | None = None
    status: UploadStatus = UploadStatus.PENDING
    file_id: str | None = None
    completion: str | None = None  # a digest of the request that completed it

    def status_at(self, now: int) -> UploadStatus:
        """Its status; nobody writes that a pending one has expired."""
        is_late = self.status is UploadStatus.PENDING and self.expires_at <= now
        return UploadStatus.EXPIRED if is_late else self.status
