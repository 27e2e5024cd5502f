"""A worker's calls for a chunk, and their outcomes until they are saved."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeGuard

import orjson

from nightmail.chunk import Chunk
from nightmail.direct_outcome import answered, failed
from nightmail.endpoints import EMBEDDINGS
from nightmail.engine.call import Reply
from nightmail.engine.fan_out import fan_out
from nightmail.engine.lane import is_throttle
from nightmail.errors import GatewayError, ProviderError
from nightmail.outcome import billed
from nightmail.steps.chunk_runs import Finished
from nightmail.steps.input_lines import OwedLine
from nightmail.steps.line_set import LineSet
from nightmail.steps.stand_ins import StandIns
from nightmail.steps.waits import PATIENCE
from nightmail.usage import usage_of

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_MOST_UNSAVED_BYTES = 4 * 1024 * 1024
_MOST_BYTES_IN_FLIGHT = 128 * 1024 * 1024
# A line may ask for thousands of embeddings; nothing else is so big.
_FIRST_GUESSES = {EMBEDDINGS: 8 * 1024 * 1024}
_logger = logging.getLogger(__name__)


class Refused(Exception):
    """Whoever could be asked, or our config, refuses all of the chunk's lines."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(error.message)
        self.error = error


class ChunkCalls:
    """`run` calls lines. Meanwhile `take` what is to be saved, and say so by `saved`.

    As many outcomes as there may be calls in flight may wait for being saved; then no call begins.
    Where answers are big, fewer are in flight.
    """

    def __init__(self, chunk: Chunk, asked: StandIns, pricer: Pricer, concurrency: int) -> None:
        self._chunk = chunk
        self._asked = asked
        self._pricer = pricer
        self._concurrency = concurrency
        self._in_flight = 0
        self._finished: list[Finished] = []
        self._finished_bytes = 0
        self._taken: list[Finished] = []
        self._answer_bytes = _FIRST_GUESSES.get(chunk.endpoint, 0)
        self._has_seen = False  # an answer, so that its size is no guess
        self._change = asyncio.Event()
        self.wake = asyncio.Event()
        """Set when there is enough to be saved."""
        self.left = LineSet()
        """The lines that a later round may answer."""
        self.reason: ProviderError | None = None
        """Why the latest of them was left."""

    async def run(self, lines: Iterable[OwedLine]) -> None:
        """Call all of `lines`. Raises Refused; cancelled, it closes the connections at once."""
        async with aclosing(fan_out(lines, self._call, self._concurrency)) as called:
            async for _ in called:
                pass

    def take(self) -> list[Finished]:
        """What is to be saved now, with what was taken before and is not safe."""
        self._taken += self._finished
        self._finished, self._finished_bytes = [], 0
        return self._taken

    def saved(self) -> None:
        """What was taken is safe."""
        self._taken = []
        self._change.set()

    async def _call(self, line: OwedLine) -> None:
        while not self._has_room():
            self._change.clear()
            await self._change.wait()
        self._in_flight += 1
        try:
            body = orjson.loads(line.content)["body"]
            answer = await self._asked.ask(body)
        finally:
            self._in_flight -= 1
            self._change.set()
        self._take(line.number, answer)

    def _has_room(self) -> bool:
        unsaved = len(self._finished) + len(self._taken)
        most = _MOST_BYTES_IN_FLIGHT // max(1, self._answer_bytes)
        is_much = self._finished_bytes >= _MOST_UNSAVED_BYTES or unsaved >= self._concurrency
        return not is_much and self._in_flight < max(1, most)

    def _take(self, number: int, answer: Reply | Sequence[GatewayError]) -> None:
        if isinstance(answer, Reply):
            self._keep(_finished(number, answer, self._pricer))
        elif healing := [error for error in answer if self._may_heal(error)]:
            self.left.add(number)
            self.reason = healing[0]
        elif self._asked.nobody_is_left:
            raise Refused(answer[0])
        else:
            self._keep(_finished(number, answer[0], self._pricer))

    def _keep(self, finished: Finished) -> None:
        """Half of what may wait is worth a write, so that the other half goes on meanwhile."""
        size = len(finished.row)
        self._answer_bytes = max(size, self._answer_bytes if self._has_seen else 0)
        self._has_seen = True
        self._finished.append(finished)
        self._finished_bytes += size
        is_much = self._finished_bytes >= _MOST_UNSAVED_BYTES
        if is_much or 2 * len(self._finished) >= self._concurrency:
            self.wake.set()

    def _may_heal(self, error: GatewayError) -> TypeGuard[ProviderError]:
        """A 429 heals some time; whatever else may heal is given so many rounds, unless the config says
        how often a line is tried.
        """
        if not isinstance(error, ProviderError) or not error.retryable:
            return False
        is_patient = self._chunk.deployment.num_retries is None and self._chunk.rounds < PATIENCE
        return is_throttle(error) or is_patient


def _finished(number: int, answer: Reply | GatewayError, pricer: Pricer) -> Finished:
    """What cannot be written is an error of its line: raised, it would fail the chunk at each retry."""
    try:
        if isinstance(answer, Reply):
            cost = pricer(answer.deployment, "direct", usage_of(answer.body))
            return Finished.of(billed(answered(number, answer.body), "direct", cost))
        return Finished.of(failed(number, answer))
    except Exception:
        _logger.exception("The outcome of line %d cannot be written.", number)
        fault = GatewayError("This request failed within the gateway.", code="internal_error")
        return Finished.of(failed(number, fault))
