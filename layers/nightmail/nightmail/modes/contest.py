"""Who answers first: starts the entrants, finds the first good answer, stops all others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

from nightmail.error_object import error_object
from nightmail.errors import AllModelsFailed, GatewayError
from nightmail.providers.direct import JsonObject

_THROTTLED, _UPSTREAM, _SERVERS, _CALLERS = 429, 502, 500, 400


class Answer(Protocol):
    """What an entrant comes back with. `flaw` says why it is no success; None where it is one."""

    @property
    def flaw(self) -> str | None: ...

    async def discard(self) -> None:
        """Let go of what it holds: it is not wanted."""


AnswerT = TypeVar("AnswerT", bound=Answer)


class Entrant(Generic[AnswerT]):
    """A model in a contest: what it runs, and what became of it."""

    def __init__(self, model: str, run: Callable[[], Coroutine[Any, Any, AnswerT]]) -> None:
        self.model = model
        self.answer: AnswerT | None = None
        self.error: GatewayError | None = None
        self._run = run
        self._task: asyncio.Task[AnswerT] | None = None
        self._began = self.ended = 0.0

    def start(self) -> asyncio.Task[AnswerT]:
        self._began = self.ended = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._run())
        return self._task

    def finish(self) -> None:
        """Note how the task has ended."""
        assert self._task
        self.ended = asyncio.get_running_loop().time()
        try:
            self.answer = self._task.result()
        except GatewayError as error:
            self.error = error

    async def stop(self) -> None:
        """Cancel it where it runs, and let go of its answer where it has one."""
        if self._task is None:
            return
        if not (self.answer or self.error):
            self.ended = asyncio.get_running_loop().time()
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and self._task.exception() is None:
            await self._task.result().discard()

    @property
    def is_good(self) -> bool:
        return self.answer is not None and self.answer.flaw is None

    def told(self, winner: Entrant[AnswerT]) -> JsonObject:
        """Its line in the report of the race."""
        line = {"model": self.model, "outcome": "cancelled", "milliseconds": self._milliseconds}
        if self is winner:
            return {**line, "outcome": "won"}
        if self.error:
            failure = {"status": self.error.http_status, "code": self.error.code}
        elif self.answer and self.answer.flaw:
            failure = {"status": 200, "code": self.answer.flaw}
        else:
            return line
        return {**line, "outcome": "failed", **failure}

    @property
    def _milliseconds(self) -> int:
        return round((self.ended - self._began) * 1000)


async def hold(
    entrants: Sequence[Entrant[AnswerT]], hedge_after_seconds: float | None
) -> Entrant[AnswerT]:
    """The entrant with the first good answer; else the one with the first flawed answer.

    All start at once, or each so many seconds after the one before it, and at once where one has
    failed. When this returns or raises, the others have stopped. Raises AllModelsFailed where there is no answer.
    """
    winner = None
    try:
        winner = await _first_good(entrants, hedge_after_seconds) or _first_flawed(entrants)
    finally:
        losers = (entrant.stop() for entrant in entrants if entrant is not winner)
        await asyncio.gather(*losers)
    if winner is None:
        raise _all_failed(entrants)
    return winner


async def _first_good(
    entrants: Sequence[Entrant[AnswerT]], hedge_after_seconds: float | None
) -> Entrant[AnswerT] | None:
    waiting = deque(entrants)
    running: dict[asyncio.Task[AnswerT], Entrant[AnswerT]] = {}
    while waiting or running:
        for _ in range(len(waiting) if hedge_after_seconds is None else min(1, len(waiting))):
            entrant = waiting.popleft()
            running[entrant.start()] = entrant
        patience = hedge_after_seconds if waiting else None
        await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        ended = [running.pop(task) for task in list(running) if task.done()]
        for entrant in ended:
            entrant.finish()
        if good := next((entrant for entrant in ended if entrant.is_good), None):
            return good
    return None


def _first_flawed(entrants: Sequence[Entrant[AnswerT]]) -> Entrant[AnswerT] | None:
    answered = (entrant for entrant in entrants if entrant.answer)
    return min(answered, key=lambda entrant: entrant.ended, default=None)


def _all_failed(entrants: Sequence[Entrant[AnswerT]]) -> AllModelsFailed:
    errors = [(entrant.model, entrant.error) for entrant in entrants if entrant.error]
    named = ", ".join(f"{model} ({error.http_status})" for model, error in errors)
    waits = [getattr(error, "retry_after_seconds", None) for _, error in errors]
    types = {error.type for _, error in errors}
    return AllModelsFailed(
        f"No model answered: {named}. 'models' in this error tells why.",
        models=[
            {"model": model, "status": error.http_status, **error_object(error)}
            for model, error in errors
        ],
        http_status=_common_status({error.http_status for _, error in errors}),
        error_type=types.pop() if len(types) == 1 else GatewayError.type,
        retry_after_seconds=min((wait for wait in waits if wait is not None), default=None),
    )


def _common_status(statuses: set[int]) -> int:
    if len(statuses) == 1:
        return statuses.pop()
    if _THROTTLED in statuses:
        return _THROTTLED
    return _UPSTREAM if max(statuses) >= _SERVERS else _CALLERS
