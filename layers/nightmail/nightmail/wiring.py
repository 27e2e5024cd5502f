"""The composition root: the one place that chooses implementations and makes clients.

Everything is made when it is first asked for and kept while the function's process lives.
"""

from __future__ import annotations

from functools import cache

import boto3
from botocore.config import Config as BotoConfig

from nightmail.config.settings import Settings
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.shards import ShardStore
from nightmail.stores.table import Table

# SigV4 because boto3 presigns with SigV2 in us-east-1 otherwise, which fails with KMS.
_S3 = BotoConfig(signature_version="s3v4")


@cache
def settings() -> Settings:
    return Settings.from_environment()


@cache
def table() -> Table:
    return Table(boto3.client("dynamodb"), settings().table_name)


@cache
def objects() -> ObjectStore:
    return ObjectStore(boto3.client("s3", config=_S3), settings().bucket_name)


@cache
def files() -> FileStore:
    return FileStore(table())


@cache
def batches() -> BatchStore:
    return BatchStore(table())


@cache
def shards() -> ShardStore:
    return ShardStore(table())
