"""Gemini's batches: `/models/{model}:batchGenerateContent`, and `/batches` and below."""

from __future__ import annotations

from typing import TypeGuard

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.batches import Batch
from local.simulator.checking import first_wrong
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.gemini.batch_work import GeminiWork
from local.simulator.gemini.batches import GeminiBatch
from local.simulator.gemini.files_api import file_named
from local.simulator.gemini.shapes import BatchGenerateRequest
from local.simulator.requests import json_body, json_response, simulator_of

_PROVIDER = "gemini"
_MOST_LISTED = 100


async def create(request: Request) -> Response:
    """Of a file only; inline requests are for less than 20 MB."""
    body = await json_body(request)
    if wrong := first_wrong(BatchGenerateRequest, body):
        place = ".".join(str(step) for step in wrong.path)
        raise ApiError(400, f"Invalid value at '{place}': {wrong.message}")
    simulator, facts = simulator_of(request), request.state.facts
    file = file_named(request, body["batch"]["inputConfig"]["fileName"])
    batch = GeminiBatch(
        provider=_PROVIDER,
        key=facts.key,
        model=request.path_params["model"],
        display_name=body["batch"].get("displayName", ""),
        input_file=file,
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
    )
    with file.path.open("rb") as lines:
        batch.counts.total = sum(1 for _ in lines)
    if not simulator.batches.has_room(batch, batch.counts.total):
        raise dialect_of(_PROVIDER).typical(429)
    work = GeminiWork(batch, files=simulator.files, executor=simulator.executor(_PROVIDER))
    simulator.start(batch, work)
    return json_response(batch.to_object())


async def list_batches(request: Request) -> Response:
    """The newest first; a page's token is the place of its first batch."""
    batches = simulator_of(request).batches.all()
    shown = [batch for batch in batches[::-1] if _is_shown(batch, request)]
    size, start = _number(request, "pageSize", _MOST_LISTED), _number(request, "pageToken", 0)
    end = start + min(size or _MOST_LISTED, _MOST_LISTED)
    more = {"nextPageToken": str(end)} if end < len(shown) else {}
    return json_response({"operations": [each.to_object() for each in shown[start:end]], **more})


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isdecimal():
        raise ApiError(400, f"Invalid value at '{name}'.")
    return int(given)


async def retrieve(request: Request) -> Response:
    shown = _batch_of(request).look()
    _batch_of(request)
    return json_response(shown)


async def cancel(request: Request) -> Response:
    batch = _batch_of(request)
    if batch.has_ended:
        raise ApiError(400, f"{batch.id} has ended and cannot be cancelled.")
    batch.cancel()
    return json_response({})


async def delete(request: Request) -> Response:
    _batch_of(request).is_deleted = True
    return json_response({})


def _batch_of(request: Request) -> GeminiBatch:
    """Raises ApiError, a 404, for one that is not there, or no more."""
    name = f"batches/{request.path_params['batch_id']}"
    batch = simulator_of(request).batches.find(name)
    if not _is_shown(batch, request):
        raise ApiError(404, f"{name} does not exist.")
    return batch


def _is_shown(batch: Batch | None, request: Request) -> TypeGuard[GeminiBatch]:
    """To the project whose key made it."""
    if not isinstance(batch, GeminiBatch):
        return False
    return batch.key == request.state.key and batch.is_there()


ROUTES = [
    Route("/models/{model}:batchGenerateContent", create, methods=["POST"]),
    Route("/batches", list_batches),
    Route("/batches/{batch_id}", retrieve),
    Route("/batches/{batch_id}", delete, methods=["DELETE"]),
    Route("/batches/{batch_id}:cancel", cancel, methods=["POST"]),
]
