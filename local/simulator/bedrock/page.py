"""All that Bedrock has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from local.simulator.bedrock import jobs_api
from local.simulator.errors import ApiError
from local.simulator.requests import give_up
from local.simulator.simulator import Simulator


def create_page(simulator: Simulator) -> Starlette:
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        ApiError: _refuse,
        HTTPException: _no_route,
        ClientDisconnect: give_up,
    }
    page = Starlette(routes=jobs_api.ROUTES, exception_handlers=handlers)
    page.state.simulator = simulator
    return page


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    content = orjson.dumps({"message": error.message})
    return Response(content, error.status, error.headers, "application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"There is no {request.method} {request.url.path}."
    name = {"x-amzn-errortype": "UnknownOperationException"}
    return await _refuse(request, ApiError(error.status_code, message, headers=name))
