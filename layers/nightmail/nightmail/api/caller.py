"""From a Lambda's synchronous world into the engine's: one event loop and one engine for a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

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

    async def _run(self, work: Work[Answered], seconds: float) -> Answered:
        deadline = asyncio.get_running_loop().time() + seconds
        async with Engine(self._direct_of, deadline=deadline) as engine:
            return await work(Runner(engine, self.models, deadline), deadline)
