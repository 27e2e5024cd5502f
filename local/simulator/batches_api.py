"""The Batches API: `/batches` and below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.azure.batches import DatedAzureBatch
from local.simulator.behaviour import Facts
from local.simulator.errors import (
    ApiError,
    batch_not_found,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)
from local.simulator.files import File
from local.simulator.openai_batches import OpenAIBatch
from local.simulator.openai_work import OpenAIWork
from local.simulator.requests import json_body, json_response, page, simulator_of
from local.simulator.validation import Limits

ENDPOINTS = [
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
]
_REQUIRED = ["input_file_id", "endpoint", "completion_window"]
_FIELDS = {*_REQUIRED, "metadata", "output_expires_after"}
_UNCANCELLABLE = frozenset({"failed", "completed", "expired"})
_MOST_PAIRS, _MOST_KEY, _MOST_VALUE = 16, 64, 512
_LEAST_SECONDS, _MOST_SECONDS = 3600, 30 * 24 * 3600


async def create(request: Request) -> Response:
    body = await json_body(request)
    _check(body)
    simulator = simulator_of(request)
    input_file = simulator.files.find(body["input_file_id"])
    request.state.call.model = first_model(input_file)
    facts: Facts = replace(request.state.facts, model=request.state.call.model)
    is_dated = facts.provider == "azure" and "api-version" in request.query_params
    batch = (DatedAzureBatch if is_dated else OpenAIBatch)(
        provider=facts.provider,
        key=facts.key,
        endpoint=body["endpoint"],
        input_file_id=body["input_file_id"],
        input_file=input_file,
        metadata=body.get("metadata"),
        output_seconds=(body.get("output_expires_after") or {}).get("seconds"),
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    work = OpenAIWork(
        batch,
        batches=simulator.batches,
        files=simulator.files,
        executor=simulator.executor(facts.provider),
        limits=Limits(simulator.settings.max_lines, simulator.settings.max_bytes),
    )
    simulator.start(batch, work)
    return json_response(batch.to_object())


def _check(body: dict[str, Any]) -> None:
    for name in body:
        if name not in _FIELDS:
            raise unknown_parameter(name)
    for name in _REQUIRED:
        if body.get(name) is None:
            raise missing_parameter(name)
        if not isinstance(body[name], str):
            raise invalid_type(name, "a string", body[name])
    if body["endpoint"] not in ENDPOINTS:
        raise invalid_value("endpoint", body["endpoint"], ENDPOINTS)
    if body["completion_window"] != "24h":
        raise invalid_value("completion_window", body["completion_window"], ["24h"])
    _check_metadata(body.get("metadata"))
    _check_expiry(body.get("output_expires_after"))


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise invalid_type("metadata", "an object", metadata)
    if len(metadata) > _MOST_PAIRS:
        raise ApiError(400, f"'metadata' has more than {_MOST_PAIRS} pairs.", param="metadata")
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise invalid_type(f"metadata.{name}", "a string", value)
        if len(name) > _MOST_KEY or len(value) > _MOST_VALUE:
            raise ApiError(400, f"'metadata.{name}' is too long.", param="metadata")


def _check_expiry(expiry: Any) -> None:
    if expiry is None:
        return
    if not isinstance(expiry, dict):
        raise invalid_type("output_expires_after", "an object", expiry)
    if expiry.get("anchor") != "created_at":
        raise invalid_value("output_expires_after.anchor", expiry.get("anchor"), ["created_at"])
    seconds = expiry.get("seconds")
    if not isinstance(seconds, int) or not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise out_of_range("output_expires_after.seconds", _LEAST_SECONDS, _MOST_SECONDS)


def first_model(file: File | None) -> str | None:
    """The model of a file's first line, by which a fault may choose this batch."""
    if file is None:
        return None
    with file.path.open("rb") as lines:
        try:
            return str(orjson.loads(lines.readline())["body"]["model"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None


async def list_batches(request: Request) -> Response:
    batches = [
        batch
        for batch in simulator_of(request).batches.all()
        if isinstance(batch, OpenAIBatch) and batch.is_there() and _is_of(batch, request)
    ]
    return page(batches[::-1], request, default=20, most=100)


def _is_of(batch: OpenAIBatch, request: Request) -> bool:
    """Whether the call's provider has it."""
    own: str = request.state.call.provider
    return batch.provider == own


async def retrieve(request: Request) -> Response:
    return _look_at(_batch_of(request))


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.status in _UNCANCELLABLE:
        raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
    batch.cancel()
    return _look_at(batch)


def _look_at(batch: OpenAIBatch) -> Response:
    shown = batch.look()
    if not batch.is_there():
        raise batch_not_found(batch.id)
    return json_response(shown)


def _batch_of(request: Request) -> OpenAIBatch:
    batch_id = request.path_params["batch_id"]
    batch = simulator_of(request).batches.find(batch_id)
    if not isinstance(batch, OpenAIBatch):
        raise batch_not_found(batch_id)
    return batch


ROUTES = [
    Route("/batches", create, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}", retrieve),
    Route("/batches/{batch_id}/cancel", cancel, methods=["POST"]),
]
