"""The buckets that jobs read from and write to."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SCHEME = "s3://"


class Buckets(Protocol):
    """Objects are known by their URIs, `s3://bucket/key`."""

    def fetch(self, uri: str, path: Path) -> bool:
        """Bring an object to `path`; false where there is none."""

    def store(self, path: Path, uri: str) -> None: ...


class S3Buckets:
    """Those of S3, or of what `AWS_ENDPOINT_URL` has in its place."""

    def fetch(self, uri: str, path: Path) -> bool:
        bucket, key = _place(uri)
        try:
            self._client.download_file(bucket, key, str(path))
        except ClientError:
            return False
        return True

    def store(self, path: Path, uri: str) -> None:
        bucket, key = _place(uri)
        self._client.upload_file(str(path), bucket, key)

    @cached_property
    def _client(self) -> S3Client:
        return boto3.client("s3")


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    return bucket, key
