"""A request's turn: it waits for its deployment's pace, and tells it what came of the request."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from nightmail.engine.lane import LONGEST_WAIT_SECONDS, Lane
from nightmail.engine.received import BYTES_PER_TOKEN, Received
from nightmail.errors import ProviderError
from nightmail.providers.direct import HttpRequest
from nightmail.usage import usage_of

_REFUSED = 400
_WANTED_TOKENS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_logger = logging.getLogger(__name__)


class Turn:
    """`async with Turn(lane, request, body, deadline):` encloses one request, written from OpenAI's
    `body`. The deadline is in the loop's time.

    Raises ProviderThrottled where the provider's pause is too long, ProviderTimedOut where its limits
    hold the request back to the deadline.
    """

    __slots__ = ("_deadline", "_lane", "_received", "_sent", "_tokens", "_used")

    def __init__(
        self, lane: Lane, request: HttpRequest, body: Mapping[str, Any], deadline: float
    ) -> None:
        self._lane = lane
        self._sent = len(request.content) // BYTES_PER_TOKEN + 1
        self._tokens = _estimate(lane, self._sent, body)
        self._deadline = deadline
        self._received = Received()
        self._used: int | None = None

    async def __aenter__(self) -> Self:
        self._lane.busy += 1
        try:
            await self._enter()
        except BaseException:
            self._lane.busy -= 1
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._lane.answered_well()
        elif isinstance(error, ProviderError):
            self._lane.failed(error)
            self._tell(error)
        self._lane.busy -= 1
        self._lane.pace.leave(self._more(error))

    def used(self, body: Mapping[str, Any]) -> None:
        """What an answer, or a chunk of one, says about its tokens replaces the estimate."""
        if self._tokens and body.get("usage"):
            usage = usage_of(body)
            self._used = usage.input_tokens + usage.output_tokens

    def heard(self, chunk: Mapping[str, Any]) -> None:
        """What came of a stream replaces the estimate too, where no chunk says anything of tokens."""
        self._received.add(chunk)
        self.used(chunk)

    def _more(self, error: BaseException | None) -> int:
        """How many tokens were used beyond the estimate."""
        if self._used is not None:
            return self._used - self._tokens
        if self._tokens and self._received.tokens:
            return self._sent + self._received.tokens - self._tokens
        is_refused = isinstance(error, ProviderError) and (error.upstream_status or 0) >= _REFUSED
        return -self._tokens if is_refused else 0

    def _tell(self, error: ProviderError) -> None:
        if received := self._received.tokens:
            error.received_tokens = received
            name = self._lane.deployment.name
            _logger.warning("A stream of %s broke after about %d tokens.", name, received)

    async def _enter(self) -> None:
        while True:
            if seconds := self._lane.seconds_closed():
                await self._wait(seconds)
            await self._paced()
            if not self._lane.seconds_closed():
                return
            self._lane.pace.leave(-self._tokens)  # another was told to wait meanwhile

    async def _wait(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        if seconds > LONGEST_WAIT_SECONDS or end >= self._deadline:
            raise self._lane.held_back()
        await asyncio.sleep(seconds)

    async def _paced(self) -> None:
        if self._deadline == math.inf:
            await self._lane.pace.enter(self._tokens)
            return
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._lane.pace.enter(self._tokens)
        except TimeoutError as error:
            raise self._lane.held_back() from error


def _estimate(lane: Lane, sent: int, body: Mapping[str, Any]) -> int:
    """About how many tokens a request takes of a `tpm`, as OpenAI counts them: what is sent, and the
    most that may be answered; never more than a minute's. 0 where nobody counts.
    """
    if lane.deployment.tpm is None:
        return 0
    limits = (body.get(name) for name in _WANTED_TOKENS)
    wanted: list[int] = [limit for limit in limits if isinstance(limit, int)]
    return min(sent + max([0, *wanted]), lane.deployment.tpm)
