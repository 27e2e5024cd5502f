"""From a Lambda's synchronous world into the engine's: one event loop and one engine for a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import Response

from nightmail.api.streams import stepped
from nightmail.engine.engine import Engine
from nightmail.modes.runner import Models, Runner
from nightmail.providers.direct import DirectOf

Answered = TypeVar("Answered")
Work = Callable[[Runner, float], Coroutine[Any, Any, Answered]]
"""What is done with a runner until a deadline, a time of the event loop."""


class Caller:
    """Calls models; `direct_of` makes their direct lanes."""

    def __init__(self, direct_of: DirectOf, models: Models) -> None:
        self._direct_of = direct_of
        self.models = models

    def run(self, work: Work[Answered], seconds: float) -> Answered:
        """Do the work; calls that take longer than `seconds` fail with ProviderTimedOut."""
        return asyncio.run(self._run(work, seconds))

    def answer(self, work: Work[Response[Any]], seconds: float) -> Response[Any]:
        """As `run`; but an answer whose body is an asynchronous generator goes on while it is read.

        Its body has become a synchronous one, which has to be read to its end or closed.
        """
        steps = stepped(self._steps(work, seconds))
        answer = next(steps)
        assert isinstance(answer, Response)
        if isinstance(answer.body, AsyncGenerator):
            answer.body = steps
        else:
            steps.close()
        return answer

    async def _steps(
        self, work: Work[Response[Any]], seconds: float
    ) -> AsyncGenerator[Response[Any] | bytes]:
        """The answer, then the pieces of its body: the engine is there until the last one."""
        deadline = asyncio.get_running_loop().time() + seconds
        async with Engine(self._direct_of, deadline=deadline) as engine:
            answer = await work(Runner(engine, self.models, deadline), deadline)
            body = answer.body
            if not isinstance(body, AsyncGenerator):
                yield answer
                return
            async with aclosing(body):
                yield answer
                async for piece in body:
                    yield piece

    async def _run(self, work: Work[Answered], seconds: float) -> Answered:
        deadline = asyncio.get_running_loop().time() + seconds
        async with Engine(self._direct_of, deadline=deadline) as engine:
            return await work(Runner(engine, self.models, deadline), deadline)
