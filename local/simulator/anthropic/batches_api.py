"""The Message Batches API: `/messages/batches` and below."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.simulator.addresses import base_of
from local.simulator.anthropic.batch_body import read_requests
from local.simulator.anthropic.batch_work import MessageWork
from local.simulator.anthropic.batches import MessageBatch
from local.simulator.anthropic.checks import version_of
from local.simulator.dialect import Content, Headers
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.inline_requests import Requests
from local.simulator.requests import json_response, simulator_of

_PROVIDER = "anthropic"
_DEFAULT_LISTED, _MOST_LISTED = 20, 1000
_PIECE = 1024 * 1024


async def create(request: Request) -> Response:
    """The body lies in a file, as it may be large."""
    simulator, headers = simulator_of(request), _checked(request)
    content: Content = request.state.content
    if len(content) > simulator.settings.max_request_bytes:
        raise dialect_of(_PROVIDER).typical(413)
    requests = await asyncio.to_thread(read_requests, content, simulator.settings.max_requests)
    batch = _new_batch(request, requests)
    if not simulator.batches.has_room(batch, len(requests)):
        raise dialect_of(_PROVIDER).typical(429)
    work = MessageWork(
        batch, requests, headers, files=simulator.files, executor=simulator.executor(_PROVIDER)
    )
    simulator.start(batch, work)
    return json_response(batch.to_object())


def _new_batch(request: Request, requests: Requests) -> MessageBatch:
    simulator, facts = simulator_of(request), request.state.facts
    batch = MessageBatch(
        provider=_PROVIDER,
        key=facts.key,
        model=facts.model,
        base=base_of(f"{request.url.scheme}://{request.url.netloc}", _PROVIDER),
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    batch.counts.total = len(requests)
    return batch


async def list_batches(request: Request) -> Response:
    _checked(request)
    batches = _own_batches(request)[::-1]
    limit, (start, end) = _limit(request), _bounds(request, [batch.id for batch in batches])
    is_backward = "before_id" in request.query_params
    shown = batches[max(start, end - limit) : end] if is_backward else batches[start:end][:limit]
    return json_response(
        {
            "data": [batch.to_object() for batch in shown],
            "has_more": len(shown) < end - start,
            "first_id": shown[0].id if shown else None,
            "last_id": shown[-1].id if shown else None,
        }
    )


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(_DEFAULT_LISTED))
    if not given.isdecimal() or not 1 <= int(given) <= _MOST_LISTED:
        raise ApiError(400, f"limit: must be an integer from 1 to {_MOST_LISTED}")
    return int(given)


def _bounds(request: Request, ids: list[str]) -> tuple[int, int]:
    """Between which places of the list the page lies."""
    query = request.query_params
    if "after_id" in query and "before_id" in query:
        raise ApiError(400, "after_id, before_id: only one of them may be given")
    for name in ("after_id", "before_id"):
        if name in query and query[name] not in ids:
            raise ApiError(400, f"{name}: there is no batch '{query[name]}'")
    start = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
    end = ids.index(query["before_id"]) if "before_id" in query else len(ids)
    return start, end


async def retrieve(request: Request) -> Response:
    batch = _batch_of(request)
    shown = batch.look()
    _check_is_there(batch)
    return json_response(shown)


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.has_ended:
        raise ApiError(400, f"{batch.id} cannot be canceled: its processing has ended")
    batch.cancel()
    return json_response(batch.to_object())


async def delete(request: Request) -> Response:
    batch = _batch_of(request)
    if not batch.has_ended:
        raise ApiError(400, f"{batch.id} cannot be deleted before its processing has ended")
    batch.is_deleted = True
    return json_response({"id": batch.id, "type": "message_batch_deleted"})


async def results(request: Request) -> Response:
    """The whole file, whatever range a call asks for."""
    batch = _batch_of(request)
    if batch.results is None or batch.to_object()["results_url"] is None:
        raise ApiError(404, f"{batch.id} has no results yet", kind="not_found_error")
    return StreamingResponse(_pieces(batch.results), media_type="application/x-jsonl")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _checked(request: Request) -> Headers:
    """The headers that say how a call is to be understood. Raises ApiError without a version."""
    headers = dict(request.headers.raw)
    version_of(headers)
    return headers


def _own_batches(request: Request) -> list[MessageBatch]:
    """Those of the call's workspace, which is what a key is for."""
    return [
        batch
        for batch in simulator_of(request).batches.all()
        if isinstance(batch, MessageBatch) and batch.key == request.state.key and batch.is_there()
    ]


def _batch_of(request: Request) -> MessageBatch:
    _checked(request)
    batch = simulator_of(request).batches.find(request.path_params["batch_id"])
    if not isinstance(batch, MessageBatch) or batch.key != request.state.key:
        raise ApiError(404, "There is no such batch", kind="not_found_error")
    _check_is_there(batch)
    return batch


def _check_is_there(batch: MessageBatch) -> None:
    if not batch.is_there():
        raise ApiError(404, "There is no such batch", kind="not_found_error")


ROUTES = [
    Route("/messages/batches", create, methods=["POST"]),
    Route("/messages/batches", list_batches),
    Route("/messages/batches/{batch_id}", retrieve),
    Route("/messages/batches/{batch_id}", delete, methods=["DELETE"]),
    Route("/messages/batches/{batch_id}/cancel", cancel, methods=["POST"]),
    Route("/messages/batches/{batch_id}/results", results),
]
