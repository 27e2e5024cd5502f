"""The simulator as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from local.simulator import batches_api, control, files_api, models_api
from local.simulator.anthropic.page import create_page as create_anthropic
from local.simulator.bedrock.buckets import Buckets
from local.simulator.bedrock.page import create_page as create_bedrock
from local.simulator.errors import ApiError
from local.simulator.fireworks.page import STORAGE_ROUTES
from local.simulator.fireworks.page import create_page as create_fireworks
from local.simulator.gemini.page import create_page as create_gemini
from local.simulator.mistral import page as mistral
from local.simulator.openrouter.page import create_page as create_openrouter
from local.simulator.requests import error_response, give_up
from local.simulator.simulator import Simulator
from local.simulator.together.page import create_page as create_together
from local.simulator.traffic import Traffic
from local.simulator.xai import page as xai


def create_app(log_file: Path | None = None, buckets: Buckets | None = None) -> Starlette:
    """A new simulator, with no files, no batches and no faults.

    It answers with and without the prefix `/v1`. With `log_file` each call is also written there
    as a line of JSON when it is over. `buckets` take the place of S3. Its files are gone when the application shuts down.
    """
    simulator = Simulator(log_file, buckets)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await simulator.close()

    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        ApiError: _refuse,
        HTTPException: _no_route,
        ClientDisconnect: give_up,
    }
    together = create_together(simulator)
    fireworks = create_fireworks(simulator)
    pages = {
        "anthropic": create_anthropic(simulator),
        "bedrock": create_bedrock(simulator),
        "fireworks": fireworks,
        "fireworks_ai": fireworks,
        "openrouter": create_openrouter(simulator),
        "gemini": create_gemini(simulator),
        "mistral": mistral.create(simulator),
        "together": together,
        "together_ai": together,
        "xai": xai.create(simulator),
    }
    app = Starlette(
        routes=[
            *files_api.ROUTES,
            *batches_api.ROUTES,
            *models_api.ROUTES,
            *STORAGE_ROUTES,
            *control.ROUTES,
        ],
        middleware=[Middleware(Traffic, simulator, pages)],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    app.state.simulator = simulator
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"Invalid URL ({request.method} {request.url.path})"
    return error_response(ApiError(error.status_code, message))
