"""Who is let in, and how API Gateway is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from nightmail.api.authorizer import authorize
from nightmail.errors import StorageUnavailable

from functions.authorizer.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import LambdaContext

EVENTS = Path(__file__).parents[2] / "events"
ARN = "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/POST/files/file-1/content"


class Keys:
    """One key, and one owner."""

    def owner_of(self, key: str) -> str | None:
        return "ann" if key == "sk-a" else None


def request_event(headers: dict[str, str] | None) -> dict[str, Any]:
    return {"type": "REQUEST", "methodArn": ARN, "headers": headers}


def read_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


@pytest.fixture
def master_key(aws: None) -> str:
    """The key of the events, in the stack's secret."""
    content = json.dumps({"master_key": "sk-1234"})
    boto3.client("secretsmanager").create_secret(
        Name=ENVIRONMENT["SECRET_NAME"], SecretString=content
    )
    return "sk-1234"


@pytest.mark.parametrize(
    "event",
    [
        request_event({"Authorization": "Bearer sk-a"}),
        request_event({"accept": "*/*", "authorization": "bearer  sk-a "}),
        {"type": "TOKEN", "methodArn": ARN, "authorizationToken": "BEARER sk-a"},
    ],
    ids=["request", "request in lower case", "token"],
)
def test_a_right_key_opens_the_whole_stage_to_its_owner(event: dict[str, Any]) -> None:
    answer = authorize(event, Keys())
    assert answer["principalId"] == "ann"
    assert answer["context"] == {"owner": "ann"}
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/*"


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    return str(statement["Effect"])


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "sk-a",
        "Basic sk-a",
        "Bearer sk-b",
        "Bearer sk-a sk-a",
        "Bearersk-a",
    ],
)
def test_a_wrong_or_malformed_key_is_denied_everything(authorization: str) -> None:
    for event in (
        request_event({"Authorization": authorization}),
        {"type": "TOKEN", "methodArn": ARN, "authorizationToken": authorization},
    ):
        assert effect(authorize(event, Keys())) == "Deny"


@pytest.mark.parametrize("headers", [None, {}, {"x-api-key": "sk-a"}])
def test_no_key_is_denied_everything(headers: dict[str, str] | None) -> None:
    answer = authorize(request_event(headers), Keys())
    assert effect(answer) == "Deny"
    assert answer["context"] == {}


def test_the_function_lets_the_master_key_in(master_key: str) -> None:
    answer = handler(read_event("authorizer.master_key"), LambdaContext())
    assert answer == read_event("authorizer.master_key.expected")


def test_the_function_refuses_an_unknown_key(master_key: str) -> None:
    answer = handler(read_event("authorizer.wrong_key"), LambdaContext())
    assert answer == read_event("authorizer.wrong_key.expected")


def test_a_secret_that_cannot_be_read_is_no_refusal(aws: None) -> None:
    with pytest.raises(StorageUnavailable):
        handler(read_event("authorizer.master_key"), LambdaContext())
