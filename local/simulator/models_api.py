"""The list of models."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.requests import json_response, simulator_of


async def list_models(request: Request) -> Response:
    models = [_model(name) for name in simulator_of(request).settings.models]
    return json_response({"object": "list", "data": models})


async def retrieve_model(request: Request) -> Response:
    """Every model exists, as every model answers; `unknown_model` is a fault."""
    return json_response(_model(request.path_params["model"]))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "simulator"}


ROUTES = [
    Route("/models", list_models),
    Route("/models/{model:path}", retrieve_model),
]
