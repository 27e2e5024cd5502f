"""The bucket: objects as streams, and files that are lists of segments.

Nothing here holds more of an object in memory than a chunk (reading) or a part (writing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig

from nightmail.errors import StorageUnavailable
from nightmail.file import Segment
from nightmail.stores.bucket_errors import bucket_errors
from nightmail.stores.multipart import MultipartWriter, Suspended

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
_DELETES_A_CALL = 1000
# One call copies up to 5 GB (Amazon S3 API reference, CopyObject); more goes in parts.
_COPYING = TransferConfig(multipart_threshold=2**30, multipart_chunksize=2**30, use_threads=False)


@dataclass(frozen=True)
class Stat:
    """What a HEAD tells of an object; `metadata` are its `x-amz-meta-` headers."""

    size: int
    etag: str
    metadata: dict[str, str]


class ObjectStore:
    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def uri(self, key: str) -> str:
        """How AWS's own services are told of an object."""
        return f"s3://{self._bucket}/{key}"

    def get(self, key: str) -> bytes:
        """A small object, whole. Raises NotFound."""
        with bucket_errors(key):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> Segment:
        """A small object, whole."""
        with bucket_errors(key):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=content_type
            )
        return Segment(key=key, size=len(body))

    def put_if_absent(self, key: str, body: bytes) -> None:
        """A small object, whole. Raises WriteConflict where there is one of this name."""
        with bucket_errors(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")

    def stat(self, key: str) -> Stat:
        """Raises NotFound."""
        with bucket_errors(key):
            head = self._client.head_object(Bucket=self._bucket, Key=key)
        return Stat(head["ContentLength"], head["ETag"].strip('"'), head.get("Metadata", {}))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are gone already are no error."""
        for start in range(0, len(keys), _DELETES_A_CALL):
            some = keys[start : start + _DELETES_A_CALL]
            with bucket_errors(some[0]):
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
                )
            if answer.get("Errors"):  # S3 answers 200 for those that it could not delete, too
                raise StorageUnavailable("The bucket could not delete some objects; try again.")

    def segments(self, prefix: str) -> Iterator[Segment]:
        """Every object under `prefix`, in order of its key."""
        pages = self._client.get_paginator("list_objects_v2")
        with bucket_errors(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield Segment(key=entry["Key"], size=entry["Size"])

    def copy(self, source: str, target: str, *, if_match: str | None = None) -> Segment:
        """Copy an object of any size within the bucket; its tags stay behind.

        Raises NotFound, or WriteConflict where `if_match` is not its ETag.
        """
        condition = {"CopySourceIfMatch": f'"{if_match}"'} if if_match else {}
        with bucket_errors(source):
            self._client.copy(
                {"Bucket": self._bucket, "Key": source},
                self._bucket,
                target,
                ExtraArgs={"TaggingDirective": "REPLACE", **condition},
                Config=_COPYING,
            )
        return Segment(key=target, size=self.stat(target).size)

    def chunks(self, segments: Sequence[Segment], start: int = 0) -> Iterator[bytes]:
        """The bytes of `segments`, one after another, from byte `start` on."""
        for segment in segments:
            if start >= segment.size:
                start -= segment.size
                continue
            yield from self._segment(segment, start)
            start = 0

    def pieces(self, segments: Sequence[Segment], start: int, end: int) -> Iterator[bytes]:
        """Their bytes from `start` to `end`, each piece by a call of its own, which may come late."""
        for segment in segments:
            for begin in range(max(start, 0), min(end, segment.size), CHUNK_BYTES):
                last = min(begin + CHUNK_BYTES, end, segment.size) - 1
                with bucket_errors(segment.key):
                    yield self._client.get_object(
                        Bucket=self._bucket, Key=segment.key, Range=f"bytes={begin}-{last}"
                    )["Body"].read()
            start, end = start - segment.size, end - segment.size

    def md5(self, segments: Sequence[Segment]) -> str:
        """The MD5 of their bytes, hexadecimal."""
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in self.chunks(segments):
            digest.update(chunk)
        return digest.hexdigest()

    def _segment(self, segment: Segment, start: int) -> Iterator[bytes]:
        span = {"Range": f"bytes={start}-"} if start else {}
        with bucket_errors(segment.key):
            answer = self._client.get_object(Bucket=self._bucket, Key=segment.key, **span)  # type: ignore[arg-type]
            with closing(answer["Body"]) as body:  # a reader that stops early frees the connection
                yield from body.iter_chunks(CHUNK_BYTES)

    def writer(self, key: str, content_type: str = "application/octet-stream") -> MultipartWriter:
        """Write an object of any size as a stream."""
        return MultipartWriter(self._client, self._bucket, key, content_type)

    def resume(self, suspended: Suspended) -> MultipartWriter:
        """Go on writing where `MultipartWriter.suspend` stopped."""
        return MultipartWriter.resume(self._client, self._bucket, suspended)

    def presign_get(self, key: str, seconds: int, *, disposition: str) -> str:
        """A URL that reads the object without a key of ours, with `disposition` as its header."""
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": disposition,
            },
            ExpiresIn=seconds,
        )

    def presign_put(self, key: str, seconds: int) -> str:
        """A URL that writes the object without a key of ours."""
        return self._client.generate_presigned_url(
            "put_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds
        )
