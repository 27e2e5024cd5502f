"""The Batches API: `/batches` and below."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.azure.batches import ENDPOINTS as DATED_ENDPOINTS
from local.simulator.azure.batches import DatedAzureBatch
from local.simulator.errors import (
    ApiError,
    batch_not_found,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)
from local.simulator.file_batches import batch_of, look_at, new_batch, shown, start
from local.simulator.groq.batches import GroqBatch
from local.simulator.openai_batches import OpenAIBatch
from local.simulator.requests import json_body, json_response, page

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
_KINDS: dict[str, type[OpenAIBatch]] = {"groq": GroqBatch}
_LEAST_SECONDS, _MOST_SECONDS = 3600, 30 * 24 * 3600


async def create(request: Request) -> Response:
    body = await json_body(request)
    provider = request.state.call.provider
    is_dated = provider == "azure" and "api-version" in request.query_params
    _check(body, DATED_ENDPOINTS if is_dated else ENDPOINTS)
    batch = new_batch(
        request,
        DatedAzureBatch if is_dated else _KINDS.get(provider, OpenAIBatch),
        body["input_file_id"],
        endpoint=body["endpoint"],
        metadata=body.get("metadata"),
        output_seconds=(body.get("output_expires_after") or {}).get("seconds"),
    )
    start(request, batch)
    return json_response(batch.to_object())


def _check(body: dict[str, Any], endpoints: list[str]) -> None:
    for name in body:
        if name not in _FIELDS:
            raise unknown_parameter(name)
    for name in _REQUIRED:
        if body.get(name) is None:
            raise missing_parameter(name)
        if not isinstance(body[name], str):
            raise invalid_type(name, "a string", body[name])
    if body["endpoint"] not in endpoints:
        raise invalid_value("endpoint", body["endpoint"], endpoints)
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


async def list_batches(request: Request) -> Response:
    return page(shown(request, OpenAIBatch), request, default=20, most=100)


async def retrieve(request: Request) -> Response:
    batch = _batch_of(request)
    return look_at(batch, batch_not_found(batch.id))


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.status in _UNCANCELLABLE:
        raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
    batch.cancel()
    return look_at(batch, batch_not_found(batch.id))


def _batch_of(request: Request) -> OpenAIBatch:
    return batch_of(request, OpenAIBatch, batch_not_found(request.path_params["batch_id"]))


ROUTES = [
    Route("/batches", create, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}", retrieve),
    Route("/batches/{batch_id}/cancel", cancel, methods=["POST"]),
]
