"""The endpoints that ask a model directly, and the list of models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.simulator.errors import ApiError
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.streaming import chunks

_DIRECT = ["/chat/completions", "/completions", "/responses", "/embeddings", "/moderations"]


async def ask(request: Request) -> Response:
    """One request, answered at once: as the same body in a batch would be."""
    body = await json_body(request)
    streams = bool(body.get("stream"))
    if streams and request.url.path != "/chat/completions":
        raise ApiError(400, "This simulator streams chat completions only.", param="stream")
    answer = simulator_of(request).ledger.execute(f"/v1{request.url.path}", body)
    if not streams:
        return json_response(answer)
    options = body.get("stream_options") or {}
    events = _events(chunks(answer, with_usage=bool(options.get("include_usage"))))
    return StreamingResponse(events, media_type="text/event-stream")


def _events(data: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for chunk in data:
        yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"


async def list_models(request: Request) -> Response:
    models = [_model(name) for name in simulator_of(request).settings.models]
    return json_response({"object": "list", "data": models})


async def retrieve_model(request: Request) -> Response:
    """Every model exists, as every model answers; `unknown_model` is a fault."""
    return json_response(_model(request.path_params["model"]))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "simulator"}


ROUTES = [
    *(Route(path, ask, methods=["POST"]) for path in _DIRECT),
    Route("/models", list_models),
    Route("/models/{model:path}", retrieve_model),
]
