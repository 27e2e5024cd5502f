"""The emulator counts what AWS charges by."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import boto3
import pytest

from local.counting import operation_of_s3
from tests.contract.miniature import Miniature

OBJECT = {"Bucket": "bucket", "Key": "key"}
UPLOAD = {**OBJECT, "UploadId": "upload"}


def test_states_of_children_and_calls_of_functions_are_counted(miniature: Miniature) -> None:
    batch = uuid.uuid4().hex
    miniature.emulator.forget_counts()

    miniature.finish(miniature.start({"do": "plan", "batch": batch, "shards": 0, "chunks": 2}))

    counts = miniature.emulator.counts()
    one_of_each = {"Parallel": 1, "Map": 1, "Pass": 1, "Fail": 1}
    assert counts["states"] == {"Task": 5, "Choice": 6, "Succeed": 2, **one_of_each}
    step = {"function": miniature.name("Step")}
    assert counts["calls"] == [
        {**step, "service": "dynamodb", "operation": "UpdateItem", "count": 3},
        {**step, "service": "s3", "operation": "PutObject", "count": 2},
    ]


def test_the_cpu_of_an_invocation_is_counted(miniature: Miniature) -> None:
    miniature.emulator.forget_counts()

    miniature.invoke("Step", {"do": "hungry"})

    (function,) = miniature.emulator.counts()["cpu_seconds"]
    assert function == miniature.name("Step")
    assert miniature.emulator.counts()["cpu_seconds"][function] > 0


def test_what_is_forgotten_does_not_count(miniature: Miniature) -> None:
    miniature.invoke("Step", {"do": "count", "batch": uuid.uuid4().hex, "number": 0})

    miniature.emulator.forget_counts()

    assert miniature.emulator.counts() == {"states": {}, "calls": [], "cpu_seconds": {}}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetObject", OBJECT),
        ("HeadObject", OBJECT),
        ("PutObject", OBJECT),
        ("DeleteObject", OBJECT),
        ("ListObjectsV2", {"Bucket": "bucket"}),
        ("CreateMultipartUpload", OBJECT),
        ("UploadPart", {**UPLOAD, "PartNumber": 1}),
        ("CompleteMultipartUpload", UPLOAD),
        ("AbortMultipartUpload", UPLOAD),
        ("ListParts", UPLOAD),
    ],
)
def test_an_operation_of_s3_is_known_by_its_request(
    aws: None, operation: str, parameters: dict[str, object]
) -> None:
    client = boto3.client("s3")
    verb = client.meta.service_model.operation_model(operation).http["method"]
    name = next(name for name, own in client.meta.method_to_api_mapping.items() if own == operation)
    query = urlsplit(client.generate_presigned_url(name, Params=parameters)).query

    request = {"method": verb, "query_string": query.encode(), "headers": []}

    assert operation_of_s3(request) == operation


@pytest.mark.parametrize(
    ("query", "operation"), [(b"", "CopyObject"), (b"partNumber=1&uploadId=u", "UploadPartCopy")]
)
def test_a_copy_is_known_by_its_source(query: bytes, operation: str) -> None:
    headers = [(b"x-amz-copy-source", b"bucket/other")]

    assert (
        operation_of_s3({"method": "PUT", "query_string": query, "headers": headers}) == operation
    )
