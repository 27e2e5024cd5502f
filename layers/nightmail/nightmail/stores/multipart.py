"""An S3 object written as a stream, whose writer can stop in one invocation and go on in the next.

S3 wants parts of 5 MB or more but for the last (Amazon S3 user guide, multipart upload limits). A
writer that stops keeps the bytes that make no part yet in an object beside its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from nightmail.errors import NotFound
from nightmail.file import Segment
from nightmail.stores.bucket_errors import bucket_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024 * 1024


def tails_prefix(key: str) -> str:
    """Where writers of this object leave, when they stop, what is no part yet."""
    return f"work/tails/{key}."


class Suspended(BaseModel):
    """A writer at rest. `size` counts all bytes written so far, the tail's too."""

    key: str
    content_type: str
    size: int = 0
    upload_id: str | None = None
    etags: list[str] = Field(default_factory=list)
    tail_key: str | None = None


class MultipartWriter:
    """`write` as often as you like, then `complete`; or `suspend` and go on later."""

    def __init__(self, client: S3Client, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._bucket = bucket
        self._state = Suspended(key=key, content_type=content_type)
        self._buffer = bytearray()

    @classmethod
    def resume(cls, client: S3Client, bucket: str, suspended: Suspended) -> MultipartWriter:
        writer = cls(client, bucket, suspended.key, suspended.content_type)
        writer._state = suspended.model_copy(deep=True)
        if suspended.tail_key:
            with bucket_errors(suspended.tail_key):
                tail = client.get_object(Bucket=bucket, Key=suspended.tail_key)["Body"].read()
            writer._buffer += tail
        return writer

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._state.size

    def write(self, data: bytes) -> None:
        self._buffer += data
        self._state.size += len(data)
        while len(self._buffer) >= (part_bytes := self._part_bytes):
            with memoryview(self._buffer) as written:
                part = bytes(written[:part_bytes])
            self._upload_part(part)
            del self._buffer[:part_bytes]

    def append(self, segment: Segment) -> None:
        """Add an object of 5 MB to 5 GB without reading it; only the last may be smaller.

        Not together with `write`. Raises NotFound where it is gone.
        """
        with bucket_errors(segment.key):
            upload_id = self._begun()
            answer = self._client.upload_part_copy(
                Bucket=self._bucket,
                Key=self._state.key,
                UploadId=upload_id,
                PartNumber=len(self._state.etags) + 1,
                CopySource={"Bucket": self._bucket, "Key": segment.key},
            )
        self._state.etags.append(answer["CopyPartResult"]["ETag"])
        self._state.size += segment.size

    def suspend(self) -> Suspended:
        """Leave everything in the bucket, and what is needed to go on."""
        tail_key = f"{tails_prefix(self._state.key)}{self._state.size}"
        with bucket_errors(tail_key):
            self._client.put_object(Bucket=self._bucket, Key=tail_key, Body=bytes(self._buffer))
        return self._state.model_copy(update={"tail_key": tail_key}, deep=True)

    def complete(self) -> Segment:
        """The object is there, whole. Completing a second time, after a crash, finds it there."""
        with bucket_errors(self._state.key):
            if self._state.upload_id is None:
                self._put_whole()
            else:
                self._complete_upload(self._state.upload_id)
        return Segment(key=self._state.key, size=self._state.size)

    @property
    def _part_bytes(self) -> int:
        """Larger with each thousand of parts, of which S3 takes ten: an object may have 400 GB."""
        return PART_BYTES * (1 + len(self._state.etags) // 1000)

    def _put_whole(self) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._state.key,
            Body=bytes(self._buffer),
            ContentType=self._state.content_type,
        )

    def _upload_part(self, part: bytes) -> None:
        with bucket_errors(self._state.key):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._state.key,
                UploadId=self._begun(),
                PartNumber=len(self._state.etags) + 1,
                Body=part,
            )
        self._state.etags.append(answer["ETag"])

    def _begun(self) -> str:
        """The id of S3's multipart upload, which begins with the first part."""
        if self._state.upload_id is None:
            self._state.upload_id = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._state.key, ContentType=self._state.content_type
            )["UploadId"]
        return self._state.upload_id

    def _complete_upload(self, upload_id: str) -> None:
        try:
            self._upload_rest(upload_id)
        except NotFound:  # completed by a run that died before it could say so?
            head = self._client.head_object(Bucket=self._bucket, Key=self._state.key)
            if head["ContentLength"] != self._state.size:
                raise

    def _upload_rest(self, upload_id: str) -> None:
        if self._buffer:
            self._upload_part(bytes(self._buffer))
            self._buffer.clear()
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(self._state.etags, 1)]
        with bucket_errors(self._state.key):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._state.key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
            )
