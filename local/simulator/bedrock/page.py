"""All that Bedrock has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

from starlette.applications import Starlette

from local.simulator import pages
from local.simulator.bedrock import jobs_api
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.simulator import Simulator

_NO_ROUTE = {"x-amzn-errortype": "UnknownOperationException"}


def create_page(simulator: Simulator) -> Starlette:
    return pages.create_page(simulator, dialect_of("bedrock"), jobs_api.ROUTES, _no_route)


def _no_route(status: int, message: str) -> ApiError:
    return ApiError(status, message, headers=_NO_ROUTE)
