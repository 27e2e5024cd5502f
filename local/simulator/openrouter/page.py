"""OpenRouter's batches, as an ASGI application of their own. Nothing cancels one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TypeGuard

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.simulator import pages
from local.simulator.batches import Batch
from local.simulator.dialect import Json
from local.simulator.errors import ApiError, failure
from local.simulator.openrouter.batch_body import read_requests
from local.simulator.openrouter.batch_work import OpenRouterWork
from local.simulator.openrouter.batches import OpenRouterBatch
from local.simulator.openrouter.dialect import OpenRouterDialect
from local.simulator.requests import json_response, page, simulator_of
from local.simulator.simulator import Simulator

_MOST_REQUESTS = 5_000
_MOST_BYTES = 200_000_000
_DEFAULT_LISTED, _MOST_LISTED = 20, 100


class _Words(OpenRouterDialect):
    """Those of the Batch API's description: an error's code is its status."""

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        return {"error": {"code": error.status, "message": error.message}}


def create_page(simulator: Simulator) -> Starlette:
    return pages.create_page(simulator, _Words(), _ROUTES)


async def create(request: Request) -> Response:
    """The body lies in a file, as it may be large."""
    simulator, content = simulator_of(request), request.state.content
    if len(content) > min(simulator.settings.max_request_bytes, _MOST_BYTES):
        raise ApiError(413, "The batch is too large.")
    most = min(simulator.settings.max_requests, _MOST_REQUESTS)
    requests, body = await asyncio.to_thread(read_requests, content, most)
    facts = request.state.facts
    batch = OpenRouterBatch(
        provider=facts.provider,
        key=facts.key,
        model=body["model"],
        endpoint=body["endpoint"],
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    batch.counts.total = len(requests)
    if not simulator.batches.has_room(batch, len(requests)):
        raise failure(429)
    executor = simulator.executor(facts.provider)
    simulator.start(
        batch, OpenRouterWork(batch, requests, files=simulator.files, executor=executor)
    )
    return json_response(batch.to_object(), 202)


async def list_batches(request: Request) -> Response:
    batches = simulator_of(request).batches.all()[::-1]
    shown = [batch for batch in batches if _is_shown(batch, request)]
    return page(shown, request, default=_DEFAULT_LISTED, most=_MOST_LISTED)


async def retrieve(request: Request) -> Response:
    batch = simulator_of(request).batches.find(request.path_params["batch_id"])
    if not _is_shown(batch, request):
        raise _no_batch()
    body = batch.body()
    begun = next(body)
    if not batch.is_there():
        raise _no_batch()
    return StreamingResponse(_whole(begun, body), media_type="application/json")


def _whole(begun: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield begun
    yield from rest


def _no_batch() -> ApiError:
    return ApiError(404, "There is no such batch.")


def _is_shown(batch: Batch | None, request: Request) -> TypeGuard[OpenRouterBatch]:
    """To the account whose key made it."""
    if not isinstance(batch, OpenRouterBatch):
        return False
    return batch.key == request.state.key and batch.is_there()


_ROUTES = [
    Route("/batches", create, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}", retrieve),
]
