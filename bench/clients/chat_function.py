"""The function of `/chat/completions`, asked with API Gateway's event; AWS is moto's, in the process.

A warm function asks AWS for nothing: config and keys are kept for a minute.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import boto3
from moto import mock_aws

from bench.clients.prompts import KEY, MESSAGES, PARAMETERS, config_of, model_of
from local.build import ROOT

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE_NAME": "nightmail",
    "BUCKET_NAME": "nightmail",
    "SECRET_NAME": "nightmail",
}
# What the benches ask the upstream for: the config has no others.
_MILLISECONDS = (0, 50, 150, 300)
_forever = ExitStack()


@dataclass(frozen=True)
class _Context:
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    function_name: str = "chat_completions"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def one(url: str) -> None:
    answer = _handler(url.rpartition("/")[0])(_event(model_of(url)), _Context())
    body = b"".join(answer.body)
    assert answer.status == HTTPStatus.OK, body


def first_token(urls: list[str]) -> float:
    """Of the models at these URLs, which race."""
    handler = _handler(urls[0].rpartition("/")[0])
    begun = time.perf_counter()
    names = ",".join(map(model_of, urls))
    answer = handler(_event(names, stream=True, fastest_response=True), _Context())
    came_at = [time.perf_counter() for _ in answer.body]
    assert answer.status == HTTPStatus.OK
    return came_at[0] - begun


@cache
def _handler(upstream: str) -> Any:
    os.environ.update(_ENVIRONMENT)
    _forever.enter_context(mock_aws())
    urls = [f"{upstream}/{milliseconds}" for milliseconds in _MILLISECONDS]
    config = config_of(urls, "os.environ/BENCH")
    bucket = boto3.client("s3")
    bucket.create_bucket(Bucket="nightmail")
    bucket.put_object(Bucket="nightmail", Key="config/config.yaml", Body=json.dumps(config))
    boto3.client("secretsmanager").create_secret(
        Name="nightmail", SecretString=json.dumps({"keys": {}, "BENCH": KEY})
    )
    from functions.chat_completions.handler import handler  # noqa: PLC0415 - it needs the environment

    return handler


@cache
def _event(model: str, **others: bool) -> dict[str, Any]:
    event = json.loads((ROOT / "events" / "chat_completions.create.json").read_text())
    body = {"model": model, "messages": MESSAGES, **PARAMETERS, **others}
    return {**event, "body": json.dumps(body)}
