"""Who is asked for a chunk's lines: its deployment, and its fallbacks where that fails for good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.engine.call import Call, Reply
from nightmail.engine.engine import Engine
from nightmail.engine.falling_back import WRONG_KIND, is_callers_own, may_fall_back
from nightmail.errors import ConfigError, GatewayError, ProviderRejected
from nightmail.providers.direct import DirectOf
from nightmail.steps.leased_pace import LeasedPace

PaceOf = Callable[[Deployment], LeasedPace]
_OUR_FAULT = frozenset({None, 401, 402})  # None: its address is no address
_QUOTA_USED_UP = 429
_FORBIDDEN = 403  # our key, or what this request holds
_MOST_FORBIDDEN = 5  # of different requests, with no answer between them: then it is our key


class StandIns:
    """`async with StandIns(chunk, direct_of, pace_of) as asked:`; then `ask` for each line.

    Every deployment has a pace of its own, which begins when the deployment is first asked. One that
    refused all requests alike is not asked again.
    """

    def __init__(self, chunk: Chunk, direct_of: DirectOf, pace_of: PaceOf) -> None:
        self._endpoint = chunk.endpoint
        self._deployments = [chunk.deployment, *chunk.fallbacks]
        self._engine = Engine(direct_of, pace_of=lambda deployment: self._paces[deployment])
        self._pace_of = pace_of
        self._paces: dict[Deployment, LeasedPace] = {}
        self._beginning = asyncio.Lock()
        self._refused: dict[Deployment, GatewayError] = {}
        self._forbidden: Counter[Deployment] = Counter()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def nobody_is_left(self) -> bool:
        """Whether everybody who could be asked refuses all requests alike."""
        return all(deployment in self._refused for deployment in self._deployments)

    async def ask(self, body: Mapping[str, Any]) -> Reply | list[GatewayError]:
        """The first good answer, or what each that was asked said."""
        failures: list[GatewayError] = []
        unhelpful: set[str] = set()
        for deployment in self._deployments:
            if deployment.name in unhelpful:
                continue
            answer = self._refused.get(deployment) or await self._ask(deployment, body)
            if isinstance(answer, Reply):
                return answer
            failures.append(answer)
            if not may_fall_back(answer.http_status, answer.code):
                break
            if is_callers_own(answer.http_status, answer.code):
                unhelpful.add(deployment.name)
        return failures

    async def _ask(self, deployment: Deployment, body: Mapping[str, Any]) -> Reply | GatewayError:
        if deployment not in self._paces:
            await self._begin(deployment)
        answer = await self._engine.outcome(Call([deployment], self._endpoint, body))
        self._learn(deployment, answer)
        return answer

    def _learn(self, deployment: Deployment, answer: Reply | GatewayError) -> None:
        if isinstance(answer, Reply):
            self._forbidden[deployment] = 0
            return
        self._forbidden[deployment] += _is_forbidden(answer)
        if _is_for_all(answer) or self._forbidden[deployment] >= _MOST_FORBIDDEN:
            self._refused[deployment] = answer

    async def _begin(self, deployment: Deployment) -> None:
        async with self._beginning:
            if deployment not in self._paces:
                pace = self._pace_of(deployment)
                self._paces[deployment] = await self._stack.enter_async_context(pace)


def _is_forbidden(error: GatewayError) -> bool:
    return isinstance(error, ProviderRejected) and error.meaning == _FORBIDDEN


def _is_for_all(error: GatewayError) -> bool:
    """Whether it is not this request that is refused, but our key, our account or our config."""
    if not isinstance(error, ProviderRejected):
        return isinstance(error, ConfigError)
    is_ours = error.meaning in _OUR_FAULT or error.code == WRONG_KIND
    return is_ours or error.http_status == _QUOTA_USED_UP
