"""One prompt to many models: the first success wins, and the others are stopped."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from nightmail.modes.asked import ModelRequest, OnePrompt
from nightmail.modes.contest import AnswerT, Entrant, hold
from nightmail.modes.events import OpenStream
from nightmail.modes.runner import Runner
from nightmail.modes.success import flaw_of, flaw_of_stream, has_content
from nightmail.providers.direct import JsonObject


@dataclass(frozen=True, slots=True)
class Raced:
    """The winner's answer.

    `report` has for each model, in their order: `model`, `outcome` (won, cancelled or failed),
    `milliseconds` that it ran, and where it failed `status` and `code`.
    """

    body: JsonObject
    winner: str
    report: list[JsonObject]


@dataclass(frozen=True, slots=True)
class RacedStream:
    """The winner's stream from its first chunk on; `report` as in `Raced`, taken at its first token."""

    chunks: OpenStream
    winner: str
    report: list[JsonObject]


async def race(request: OnePrompt, runner: Runner) -> Raced:
    """The first good answer. When this returns the other calls are cancelled, their connections closed.

    An answer without content or tool call, or one that a filter cut, has failed while another model may still
    succeed; where none does, the first such answer is returned. Raises AllModelsFailed where
    nobody answered.
    """
    entrants = _entrants(request, partial(_answer, runner))
    winner = await hold(entrants, request.hedge_after_seconds)
    assert winner.answer
    report = [entrant.told(winner) for entrant in entrants]
    return Raced(winner.answer.body, winner.model, report)


async def stream_race(request: OnePrompt, runner: Runner) -> RacedStream:
    """As `race`, but the first token of content or of a tool call wins; reasoning is none."""
    entrants = _entrants(request, partial(_listen, runner))
    winner = await hold(entrants, request.hedge_after_seconds)
    assert winner.answer
    report = [entrant.told(winner) for entrant in entrants]
    return RacedStream(winner.answer.chunks, winner.model, report)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole answer."""

    body: JsonObject

    @property
    def flaw(self) -> str | None:
        return flaw_of(self.body)

    async def discard(self) -> None:
        """It holds nothing."""


@dataclass(frozen=True, slots=True)
class _Speaking:
    """A stream at its first token, or one that ended without any."""

    chunks: OpenStream
    flaw: str | None

    async def discard(self) -> None:
        await self.chunks.aclose()


def _entrants(
    request: OnePrompt, run: Callable[[ModelRequest], Coroutine[Any, Any, AnswerT]]
) -> list[Entrant[AnswerT]]:
    return [Entrant(entry.model, partial(run, entry)) for entry in request.requests()]


async def _answer(runner: Runner, request: ModelRequest) -> _Whole:
    return _Whole(await runner.answer(request))


async def _listen(runner: Runner, request: ModelRequest) -> _Speaking:
    stream = runner.stream(request)
    heard: list[JsonObject] = []
    async for chunk in stream:
        heard.append(chunk)
        if has_content(chunk):
            return _Speaking(OpenStream(heard, stream), None)
    return _Speaking(OpenStream(heard, stream), flaw_of_stream(heard))
