"""The functions that call models, asked as API Gateway asks them; the simulator answers for the models."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

import boto3
import orjson
import yaml

from local.simulator.client import SimulatorClient
from tests.unit.conftest import ENVIRONMENT
from tests.unit.gateway import Answer, Handler, ask, proxy_event

Json = dict[str, Any]

KEY = "sk-simulator-0123456789"
FAST, SLOW, OTHER, LATER = "fast", "slow", "other", "later"
EMBEDDER = "embedder"
_MODELS = {
    FAST: "gpt-4o-mini",
    SLOW: "gpt-4o",
    OTHER: "gpt-5-mini",
    LATER: "gpt-4.1",
    EMBEDDER: "text-embedding-3-small",
}
# What is left of 29 seconds where the answer is to come in half a second.
SHORT = 3500


def configure(simulator: SimulatorClient) -> None:
    """Five models of the simulator's, which are called once each; batches of LATER are asked for by the config."""
    entries = [_entry(name, model, simulator.base_url) for name, model in _MODELS.items()]
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"],
        Key="config/config.yaml",
        Body=yaml.safe_dump({"model_list": entries}),
    )
    boto3.client("secretsmanager").create_secret(
        Name=ENVIRONMENT["SECRET_NAME"],
        SecretString=json.dumps({"keys": {}, "SIMULATOR_KEY": KEY}),
    )


def _entry(name: str, model: str, api_base: str) -> Json:
    params = {
        "model": f"openai/{model}",
        "api_base": api_base,
        "api_key": "os.environ/SIMULATOR_KEY",
        "num_retries": 0,
    }
    return {"model_name": name, "litellm_params": params, "batch_enabled": name == LATER}


def upstream(name: str) -> str:
    """The provider's own name of a model."""
    return _MODELS[name]


def said(text: str) -> list[Json]:
    """One prompt."""
    return [{"role": "user", "content": text}]


def post(
    route: str,
    body: Json | bytes,
    *,
    headers: Mapping[str, str] | None = None,
    remaining_milliseconds: int = 29_000,
) -> Answer:
    content = body.decode() if isinstance(body, bytes) else orjson.dumps(body).decode()
    folder = route.strip("/").replace("/", "_")
    handler: Handler = importlib.import_module(f"functions.{folder}.handler").handler
    event = proxy_event("POST", route, body=content, headers=headers)
    return ask(handler, event, remaining_milliseconds=remaining_milliseconds)


def events(answer: Answer) -> list[Any]:
    """The data of a stream's events; what is not JSON is text."""
    assert answer.headers["content-type"] == "text/event-stream"
    *found, rest = answer.content.decode().split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: ") for event in found)
    data = [event.removeprefix("data: ") for event in found]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


def text_of(chunks: list[Json]) -> str:
    """What a stream says."""
    pieces = [
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    ]
    return "".join(pieces)
