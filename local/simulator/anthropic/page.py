"""All that Anthropic has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

from starlette.applications import Starlette

from local.simulator import pages
from local.simulator.anthropic import batches_api
from local.simulator.dialects import dialect_of
from local.simulator.errors import ApiError
from local.simulator.simulator import Simulator


def create_page(simulator: Simulator) -> Starlette:
    return pages.create_page(simulator, dialect_of("anthropic"), batches_api.ROUTES, _no_route)


def _no_route(status: int, message: str) -> ApiError:
    kind = "not_found_error" if status == 404 else "invalid_request_error"  # noqa: PLR2004
    return ApiError(status, message, kind=kind)
