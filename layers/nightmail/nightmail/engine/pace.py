"""How fast one deployment may be asked: its limits, and what its 429s teach."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Protocol

from nightmail.deployment import Deployment
from nightmail.engine.backoff import backoff_seconds
from nightmail.engine.bucket import Bucket

SHORTEST_PAUSE_SECONDS = 0.05  # within it the other answers to the same burst arrive


class Pace(Protocol):
    """Holds back the requests to one deployment. Every `enter` that returned is followed by one `leave`."""

    async def enter(self, tokens: int) -> None:
        """Wait until one more request of about `tokens` tokens (0: nobody counts) may go out.

        Cancelled while it waits, it has not entered.
        """

    def leave(self, tokens: int) -> None:
        """A request that entered is over; it used `tokens` more than `enter` was told (less: < 0)."""

    def slow_down(self, retry_after_seconds: float | None) -> None:
        """A 429 came: nobody enters before that time; for None the pace chooses one, never 0."""

    def speed_up(self) -> None:
        """A good answer came."""


class LocalPace:
    """The pace of one deployment within this process; who waits is let in in order.

    `rpm` and `tpm` are spread over the minute. On a 429 nobody starts for as long as the provider says
    (else 0.5 s, doubled while no good answer comes, to 8 s), and half as many as were in flight may be in
    flight from then on, at least one; each good answer adds 1/limit, so a round of good answers adds one
    (additive increase, multiplicative decrease). A 429 that comes during such a pause answers a request of
    the same burst and halves nothing.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._ceiling = deployment.max_parallel_requests or math.inf
        self._requests = Bucket(deployment.rpm) if deployment.rpm else None
        self._tokens = Bucket(deployment.tpm) if deployment.tpm else None
        self._limit = self._ceiling
        self._in_flight = 0
        self._paused_until = 0.0
        self._pauses = 0  # since the last good answer
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, tokens: int) -> None:
        if not self._waiting and self._seconds_until(tokens) == 0:
            self._let_in(tokens)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            self._withdraw(turn, tokens)
            raise

    def leave(self, tokens: int) -> None:
        self._in_flight -= 1
        if tokens and self._tokens:
            self._tokens.take(tokens)
        if self._waiting:
            self._admit()

    def slow_down(self, retry_after_seconds: float | None) -> None:
        now = asyncio.get_running_loop().time()
        echo = now < self._paused_until
        if not echo:
            self._limit = max(1.0, min(self._limit, self._in_flight) / 2)
            self._pauses += 1
        if retry_after_seconds is not None:
            pause = max(retry_after_seconds, SHORTEST_PAUSE_SECONDS)
        else:
            pause = 0.0 if echo else backoff_seconds(self._pauses - 1)
        self._paused_until = max(self._paused_until, now + pause)

    def speed_up(self) -> None:
        self._pauses = 0
        if self._limit < self._ceiling:
            self._limit += 1 / self._limit

    def _seconds_until(self, tokens: int) -> float:
        """How long until one more may go out: 0 for now, infinity for when another leaves."""
        if self._in_flight + 1 > self._limit:
            return math.inf
        now = asyncio.get_running_loop().time()
        seconds = max(0.0, self._paused_until - now)
        if self._requests:
            seconds = max(seconds, self._requests.seconds_until(1, now))
        if self._tokens:
            seconds = max(seconds, self._tokens.seconds_until(tokens, now))
        return seconds

    def _let_in(self, tokens: int) -> None:
        self._in_flight += 1
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)

    def _admit(self) -> None:
        """Let in whoever may go, the longest waiting first."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            turn, tokens = self._waiting[0]
            seconds = 0.0 if turn.done() else self._seconds_until(tokens)
            if seconds == math.inf:
                return
            if seconds:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(seconds, self._admit)
                return
            self._waiting.popleft()
            if not turn.done():
                self._let_in(tokens)
                turn.set_result(None)

    def _withdraw(self, turn: asyncio.Future[None], tokens: int) -> None:
        """Who was cancelled after being let in leaves, and makes room either way."""
        if turn.cancelled():
            self._admit()
        else:
            self.leave(-tokens)
