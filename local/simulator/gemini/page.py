"""All that Gemini has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.gemini import batches_api, files_api
from local.simulator.requests import give_up
from local.simulator.simulator import Simulator


def create_page(simulator: Simulator) -> Starlette:
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        ApiError: _refuse,
        HTTPException: _no_route,
        ClientDisconnect: give_up,
    }
    routes = [*files_api.ROUTES, *batches_api.ROUTES]
    page = Starlette(routes=routes, exception_handlers=handlers)
    page.state.simulator = simulator
    return page


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    envelope = dialect_of("gemini").envelope(error, request.state.request_id)
    return Response(orjson.dumps(envelope), error.status, error.headers, "application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"There is no {request.method} {request.url.path}."
    return await _refuse(request, ApiError(error.status_code, message))
