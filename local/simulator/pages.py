"""What a provider has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ExceptionHandler

from local.simulator.dialect import Dialect
from local.simulator.errors import ApiError
from local.simulator.requests import give_up, json_response
from local.simulator.simulator import Simulator


def create_page(
    simulator: Simulator,
    dialect: Dialect,
    routes: Sequence[BaseRoute],
    no_route_of: Callable[[int, str], ApiError] = ApiError,
) -> Starlette:
    """One whose refusals are in the words of `dialect`.

    `no_route_of` makes the one of a path that there is not, of its status and a message.
    """

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        envelope = dialect.envelope(error, request.state.request_id)
        response = json_response(envelope, error.status)
        response.headers.update(error.headers)
        return response

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"There is no {request.method} {request.url.path}."
        return await refuse(request, no_route_of(error.status_code, message))

    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        ApiError: refuse,
        HTTPException: no_route,
        ClientDisconnect: give_up,
    }
    page = Starlette(routes=routes, exception_handlers=handlers)
    page.state.simulator = simulator
    return page
