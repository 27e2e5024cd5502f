"""Many calls in flight: one event loop, one pooled client, retries, pace and cancellation."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self

from nightmail.deployment import Deployment
from nightmail.endpoints import EMBEDDINGS
from nightmail.engine.call import Call, Reply
from nightmail.engine.client import Client, Exchange
from nightmail.engine.fan_out import fan_out
from nightmail.engine.lane import Lane
from nightmail.engine.pace import LocalPace, Pace
from nightmail.engine.tries import Choose, Tries
from nightmail.engine.turn import Turn
from nightmail.errors import GatewayError, ProviderGarbled, ProviderTimedOut
from nightmail.providers.direct import (
    ChunkReader,
    DirectOf,
    DirectProvider,
    HttpRequest,
    JsonObject,
)
from nightmail.providers.divided import Divides, joined

DEFAULT_CONCURRENCY = 100
_TIMEOUT_SECONDS = 600.0
_OK = 200
_JSON = "application/json"
_logger = logging.getLogger(__name__)


class Engine:
    """Sends calls to providers. One for each invocation: `async with Engine(direct_of) as engine:`.

    `pace_of` is asked once for each deployment. `concurrency` is how many calls `run` keeps in flight.
    `deadline` is the time of the event loop (`asyncio.get_running_loop().time()`) by which every call has
    ended, and nothing waits for what would come after it. `choose` takes one of a name's deployments that
    are equally busy: at random, as each invocation begins without knowing whom the others ask.

    Which failures are tried again, where and how often: `Tries`. How 429s slow a deployment down: `LocalPace`.
    """

    def __init__(
        self,
        direct_of: DirectOf,
        *,
        pace_of: Callable[[Deployment], Pace] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        deadline: float | None = None,
        choose: Choose = random.choice,
    ) -> None:
        self._direct_of = direct_of
        self._pace_of = pace_of or LocalPace
        self._concurrency = concurrency
        self._deadline = math.inf if deadline is None else deadline
        self._choose = choose
        self._lanes: dict[Deployment, Lane] = {}
        self._client = Client()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def call(self, call: Call) -> Reply:
        """One good answer. Raises a leaf of GatewayError; cancelling closes the connection at once."""
        tries = self._tries(call)
        while True:
            lane = tries.lane()
            try:
                return await self._ask(lane, call, tries)
            except GatewayError as error:
                await tries.survive(lane, error)

    async def stream(self, call: Call) -> AsyncGenerator[JsonObject]:
        """The chunks of one answer. Until the first one it is tried again as `call` is; after it the
        error is raised where the stream broke. `aclose()` closes the connection at once.
        """
        tries = self._tries(call)
        begun = False
        while True:
            lane = tries.lane()
            try:
                async with aclosing(self._chunks(lane, call, tries)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except GatewayError as error:
                if begun:
                    raise
                await tries.survive(lane, error)
            else:
                return

    def run(
        self, calls: Iterable[Call], concurrency: int | None = None
    ) -> AsyncGenerator[tuple[int, Reply | GatewayError]]:
        """What became of each of `calls`, as they finish, with its place among them from 0.

        `calls` is read as far as calls are in flight: one that waits for its deployment holds a place.
        `aclose()` cancels those and waits for them.
        """
        return fan_out(calls, self.outcome, concurrency or self._concurrency)

    async def outcome(self, call: Call) -> Reply | GatewayError:
        """A call that fails is data for its neighbours, whatever it is that failed."""
        try:
            return await self.call(call)
        except GatewayError as error:
            return error.with_traceback(None)
        except Exception:
            _logger.exception("A call failed for a reason that has no name.")
            return GatewayError("This request failed within the gateway.", code="internal_error")

    def _tries(self, call: Call) -> Tries:
        lanes = [self._lane(deployment) for deployment in call.deployments]
        return Tries(call, lanes, self._deadline, self._choose)

    def _lane(self, deployment: Deployment) -> Lane:
        lane = self._lanes.get(deployment)
        if lane is None:
            lane = Lane(deployment, self._pace_of(deployment), self._direct_of)
            self._lanes[deployment] = lane
        return lane

    async def _ask(self, lane: Lane, call: Call, tries: Tries) -> Reply:
        bodies = _bodies(lane.provider(), call)
        answers = [await self._answer(lane, call, body, tries) for body in bodies]
        return Reply(joined(answers), lane.deployment, tries.sent)

    async def _answer(
        self, lane: Lane, call: Call, body: Mapping[str, Any], tries: Tries
    ) -> JsonObject:
        provider = lane.provider()
        request = provider.request(call.endpoint, body)
        async with Turn(lane, request, body, self._deadline) as turn:
            tries.sent += 1
            async with self._send(lane, call, request) as exchange:
                answer = await exchange.whole()
            converted = provider.answer(call.endpoint, body, answer)
            turn.used(converted)
        return converted

    async def _chunks(self, lane: Lane, call: Call, tries: Tries) -> AsyncGenerator[JsonObject]:
        provider = lane.provider()
        request = provider.request(call.endpoint, call.body, stream=True)
        async with Turn(lane, request, call.body, self._deadline) as turn:
            tries.sent += 1
            async with self._send(lane, call, request, stream=True) as exchange:
                if exchange.status != _OK or _is_json(exchange):
                    provider.answer(call.endpoint, call.body, await exchange.whole())
                    raise ProviderGarbled(
                        f"{provider.name} answered in one piece where a stream was asked for.",
                        provider=provider.name,
                        upstream_status=exchange.status,
                    )
                reader = provider.reader(call.body)
                async with aclosing(_read(exchange, reader)) as chunks:
                    async for chunk in chunks:
                        turn.heard(chunk)
                        yield chunk

    def _send(
        self, lane: Lane, call: Call, request: HttpRequest, *, stream: bool = False
    ) -> Exchange:
        """In a stream, the time-out is the longest time between bytes."""
        deployment, provider = lane.deployment, lane.provider().name
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ProviderTimedOut(f"{provider} was not asked in time.", provider=provider)
        within = deployment.stream_timeout_seconds if stream else None
        seconds = call.timeout_seconds or within or deployment.timeout_seconds or _TIMEOUT_SECONDS
        if stream:
            total = None if left == math.inf else left
            return self._client.send(
                request, provider, total_seconds=total, silence_seconds=seconds
            )
        return self._client.send(request, provider, total_seconds=min(seconds, left))


def _bodies(provider: DirectProvider, call: Call) -> Sequence[Mapping[str, Any]]:
    """Those of the requests that make one call."""
    if call.endpoint == EMBEDDINGS and isinstance(provider, Divides):
        return provider.divided(call.body)
    return [call.body]


async def _read(exchange: Exchange, reader: ChunkReader) -> AsyncGenerator[JsonObject]:
    """All chunks. A server may keep its connection open behind the last one."""
    while not reader.is_over and (data := await exchange.piece()):
        for chunk in reader.feed(data):
            yield chunk
        reader.feed(b"")  # an error behind them, though no more may ever come
    for chunk in reader.close():
        yield chunk
    await exchange.settle()


def _is_json(exchange: Exchange) -> bool:
    media_type = exchange.headers.get("content-type", "").partition(";")[0]
    return media_type.strip().lower() == _JSON
