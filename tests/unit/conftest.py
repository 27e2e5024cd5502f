"""AWS within the process: a table and a bucket of moto's, and the stores that `wiring` makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NoReturn

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import MultipartDict, s3_backends
from nightmail import wiring
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.table import Table
from nightmail.stores.uploads import UploadStore

from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import NATIVE_LANES

_ACCOUNT = "123456789012"  # moto's
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE_NAME": "nightmail-table",
    "BUCKET_NAME": "nightmail-bucket",
    "SECRET_NAME": "nightmail-secret",
}


def forget_wiring() -> None:
    """What `wiring` made before belongs to another test's AWS."""
    for maker in vars(wiring).values():
        if callable(getattr(maker, "cache_clear", None)) and maker.__module__ == wiring.__name__:
            maker.cache_clear()


class _Multiparts(MultipartDict):
    """S3 knows no upload that was completed or aborted; moto would crash there."""

    def __missing__(self, upload_id: str) -> NoReturn:
        raise NoSuchUpload(upload_id)


def _create_bucket() -> None:
    name = ENVIRONMENT["BUCKET_NAME"]
    boto3.client("s3").create_bucket(Bucket=name)
    s3_backends[_ACCOUNT]["aws"].buckets[name].multiparts = _Multiparts()


def _create_table() -> None:
    boto3.client("dynamodb").create_table(
        TableName=ENVIRONMENT["TABLE_NAME"],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="module")
def _moto() -> Iterator[None]:
    """Making clients takes longer than a test, so a module's tests share them."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(boto3, "client", cache(boto3.client))
        yield


@pytest.fixture
def aws(_moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moto in place of AWS, with the functions' environment, an empty table and an empty bucket."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    BackendDict.reset()
    _create_table()
    _create_bucket()
    forget_wiring()
    yield
    forget_wiring()


@pytest.fixture
def table(aws: None) -> Table:
    return wiring.table()


@pytest.fixture
def objects(aws: None) -> ObjectStore:
    return wiring.objects()


@pytest.fixture
def files(aws: None) -> FileStore:
    return wiring.files()


@pytest.fixture
def uploads(aws: None) -> UploadStore:
    return wiring.uploads()


@pytest.fixture
def batches(aws: None) -> BatchStore:
    return wiring.batches()


@pytest.fixture
def parts(aws: None) -> PartStore:
    return wiring.parts()


@pytest.fixture(params=list(NATIVE_LANES))
def native(request: pytest.FixtureRequest) -> NativeLane:
    """Each provider that has a batch API."""
    return NATIVE_LANES[request.param]
