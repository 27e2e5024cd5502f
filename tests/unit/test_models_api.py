"""The Models API, run on the repository's own events and config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.models.handler import handler
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import Answer, ask, proxy_event

ROOT = Path(__file__).parents[2]


def put_config(text: str) -> None:
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"], Key="config/config.yaml", Body=text.encode()
    )


def get(path: str) -> Answer:
    return ask(handler, proxy_event("GET", path))


@pytest.fixture
def local_config(aws: None) -> None:
    put_config((ROOT / "local/config.yaml").read_text())


@pytest.mark.parametrize("case", ["list", "retrieve_by_wildcard", "retrieve_unknown"])
def test_the_function_answers_its_events_as_expected(local_config: None, case: str) -> None:
    event: dict[str, Any] = json.loads((ROOT / f"events/models.{case}.json").read_text())
    expected = json.loads((ROOT / f"events/models.{case}.expected.json").read_text())
    answer = ask(handler, event)
    assert answer.status == expected["statusCode"]
    assert answer.json | json.loads(expected["body"]) == answer.json
    assert answer.headers["x-request-id"] == event["requestContext"]["requestId"]


def test_names_patterns_and_aliases_are_listed_in_openais_form(aws: None) -> None:
    put_config("""
model_list:
- {model_name: mine, litellm_params: {model: azure/x}}
- {model_name: openai/*, litellm_params: {model: openai/*}}
- {model_name: mine, litellm_params: {model: openai/x}}
- {model_name: any/*, litellm_params: {model: "*"}}
router_settings: {model_group_alias: {other: mine, hidden: {model: mine, hidden: true}}}
""")
    answer = get("/models")
    assert answer.json["object"] == "list"
    assert answer.json["data"] == [
        {"id": name, "object": "model", "created": 0, "owned_by": provider}
        for name, provider in [
            ("mine", "azure"),
            ("openai/*", "openai"),
            ("any/*", "any"),
            ("other", "azure"),
        ]
    ]


def test_every_listed_model_can_be_retrieved(local_config: None) -> None:
    models = get("/models").json["data"]
    assert len(models) > 5
    for model in models:
        assert get(f"/models/{model['id']}").json == model


@pytest.mark.parametrize(
    "path",
    [
        "/models/openai/org/gpt-5",
        "/models/openai%2Forg%2Fgpt-5",
        "/v1/models/openai/org/gpt-5",
        "/openai/v1/models/openai%2Forg/gpt-5",
    ],
)
def test_a_name_may_hold_slashes_encoded_or_not(local_config: None, path: str) -> None:
    answer = get(path)
    assert answer.status == 200
    assert answer.json["id"] == "openai/org/gpt-5"


def test_an_unknown_model_is_a_404_with_openais_words(local_config: None) -> None:
    answer = get("/models/%C3%A9/x")
    assert answer.status == 404
    assert answer.error == {
        "message": "The model 'é/x' does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


def test_without_a_config_the_list_is_empty(aws: None) -> None:
    assert get("/models").json == {"object": "list", "data": []}


def test_a_broken_config_is_named_with_its_path(aws: None) -> None:
    put_config("model_list: {}")
    answer = get("/models")
    assert answer.status == 500
    assert answer.error["code"] == "invalid_config"
    assert answer.error["message"].startswith("model_list: ")


def test_another_method_is_a_404_in_openais_envelope(local_config: None) -> None:
    answer = ask(handler, proxy_event("POST", "/models"))
    assert answer.status == 404
    assert answer.error["type"] == "invalid_request_error"
