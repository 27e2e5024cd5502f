"""A batch without the API: put a file into the bucket, take the answers out. Before: set -a; . .local/env"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def outputs(stack: str) -> dict[str, str]:
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {entry["OutputKey"]: entry["OutputValue"] for entry in found["Outputs"]}


def take(s3: S3Client, bucket: str, key: str) -> str | None:
    """An object's text; None while it is not there."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


def run(requests: Path, bucket: str, owner: str = "admin") -> str:
    """The Batch object as JSON, or why nothing was run; the answers lie beside it under outbox/."""
    s3 = boto3.client("s3")
    name = f"{requests.stem}-{time.time_ns()}"
    s3.upload_file(str(requests), bucket, f"inbox/{owner}/{name}.jsonl")
    while True:
        for answer in ("status.json", "error.json"):
            key = f"outbox/{owner}/{name}.{answer}"
            if text := take(s3, bucket, key):
                return f"s3://{bucket}/{key}\n{text}"
        time.sleep(2)


if __name__ == "__main__":
    requests = Path(sys.argv[1] if len(sys.argv) > 1 else "examples/requests.jsonl")
    stack = os.environ.get("NIGHTMAIL_STACK", "nightmail")
    print(run(requests, outputs(stack)["BucketName"]))
