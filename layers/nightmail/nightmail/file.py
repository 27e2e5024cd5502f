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


class StoredFile(BaseModel):
    """A file of one owner. Times are Unix seconds."""

    v: Literal[1] = 1
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
    md5: str | None = None
    content_type: str | None = None

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


class UploadPart(BaseModel):
    """One part: an object under `uploads/`."""

    v: Literal[1] = 1
    id: str
    upload_id: str
    created_at: int
    segment: Segment
