"""All that Gemini has besides a model's direct answers, as an ASGI application of its own."""

from __future__ import annotations

from starlette.applications import Starlette

from local.simulator import pages
from local.simulator.dialects import dialect_of
from local.simulator.gemini import batches_api, files_api
from local.simulator.simulator import Simulator


def create_page(simulator: Simulator) -> Starlette:
    routes = [*files_api.ROUTES, *batches_api.ROUTES]
    return pages.create_page(simulator, dialect_of("gemini"), routes)
