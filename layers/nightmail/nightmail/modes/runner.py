"""One request to one model: who answers to its name, who stands in for it, and until when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Protocol, TypeVar

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.engine.falling_back import may_fall_back
from nightmail.errors import GatewayError, ProviderTimedOut
from nightmail.modes.asked import ModelRequest
from nightmail.providers.direct import JsonObject

T = TypeVar("T")
_OUT_OF_TIME = "The answer did not come within the time that one request may take. "
_SEND_A_BATCH = "Send what takes long through the batch API (POST /batches)."
_ASK_FOR_A_STREAM = (
    "Ask with 'stream', or send what takes long through the batch API (POST /batches)."
)
_FAULT = "This request failed within the gateway."
_logger = logging.getLogger(__name__)


class Models(Protocol):
    """What models there are."""

    def deployments(self, name: str) -> list[Deployment]:
        """Who answers to a model's name. Raises NotFound."""

    def fallbacks(self, name: str) -> list[str]:
        """The models that stand in for this one, where a request names none."""


class Runner:
    """Answers requests of one model each, over one engine.

    `deadline` is a time of the event loop: what is not answered then fails with ProviderTimedOut.
    """

    def __init__(self, engine: Engine, models: Models, deadline: float | None = None) -> None:
        self._engine = engine
        self._models = models
        self._deadline = deadline
        self._known: dict[str, list[Deployment]] = {}

    def deployments(self, name: str) -> list[Deployment]:
        """Who answers to a model's name. Raises NotFound."""
        if name not in self._known:
            self._known[name] = self._models.deployments(name)
        return self._known[name]

    async def answer(self, request: ModelRequest) -> JsonObject:
        """OpenAI's answer; its `model` is the public name of the model that gave it.

        A model that failed for good is followed by its fallbacks. Where they fail too, the error is
        that of the model that was asked: a leaf of GatewayError.
        """
        return await self._in_time(request, self._answer(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[JsonObject]:
        """OpenAI's chunks, as `answer`; but behind the first chunk there is no fallback.

        Closing it closes the provider's connection.
        """
        chunks, chunk = await self._begin(request)
        async with aclosing(chunks):
            while chunk is not None:
                yield chunk
                chunk = await self._next(request, chunks)

    async def _answer(self, request: ModelRequest) -> JsonObject:
        return (await self._with_fallbacks(request, self._engine.call)).body

    async def _begin(
        self, request: ModelRequest
    ) -> tuple[AsyncGenerator[JsonObject], JsonObject | None]:
        """A stream that runs, and its first chunk."""

        async def begin(call: Call) -> tuple[AsyncGenerator[JsonObject], JsonObject | None]:
            chunks = self._engine.stream(call)
            return chunks, await self._next(request, chunks)

        return await self._with_fallbacks(request, begin)

    async def _with_fallbacks(
        self, request: ModelRequest, attempt: Callable[[Call], Awaitable[T]]
    ) -> T:
        failure: GatewayError | None = None
        for call in self._calls(request):
            try:
                return await attempt(call)
            except GatewayError as error:
                failure = failure or error
                if not may_fall_back(error.http_status, error.code):
                    break
        assert failure
        raise failure

    async def _next(
        self, request: ModelRequest, chunks: AsyncGenerator[JsonObject]
    ) -> JsonObject | None:
        return await self._in_time(request, anext(chunks, None))

    async def _in_time(self, request: ModelRequest, coming: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await coming
        except TimeoutError as error:
            raise self._out_of_time(request) from error
        except ProviderTimedOut as error:
            if self._deadline and asyncio.get_running_loop().time() >= self._deadline:
                raise self._out_of_time(request) from error
            raise
        except GatewayError:
            raise
        except Exception as error:
            # A fault of ours fails this request, and none of those beside it.
            _logger.exception("A request failed for a reason that has no name.")
            raise GatewayError(_FAULT, code="internal_error") from error

    def _calls(self, request: ModelRequest) -> Iterator[Call]:
        """The request, then its fallbacks. Raises NotFound before anybody is called."""
        own = request.terms.fallbacks
        named = [self.deployments(name) for name in (request.model, *(own or ()))]
        yield from (_call(request, deployments) for deployments in named)
        for name in self._models.fallbacks(request.model) if own is None else ():
            yield _call(request, self.deployments(name))

    def _out_of_time(self, request: ModelRequest) -> ProviderTimedOut:
        has_stream_left = request.endpoint == CHAT and not request.stream
        way_out = _ASK_FOR_A_STREAM if has_stream_left else _SEND_A_BATCH
        provider = self.deployments(request.model)[0].provider
        return ProviderTimedOut(_OUT_OF_TIME + way_out, provider=provider)


def _call(request: ModelRequest, deployments: list[Deployment]) -> Call:
    terms = request.terms
    return Call(
        deployments, request.endpoint, request.body, terms.timeout_seconds, terms.num_retries
    )
