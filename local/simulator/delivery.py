"""How an answer goes out: with an interruption before it or in its middle, or byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message

from local.simulator.call_faults import Interruption, Trickle
from local.simulator.exchange import Exchange

GoesOn = Callable[[Exchange, Interruption], Awaitable[bool]]


class InterruptedSend:
    """Sends an endpoint's answer, with an interruption before it or in its first piece."""

    def __init__(self, goes_on: GoesOn, exchange: Exchange, fault: Interruption) -> None:
        self._goes_on = goes_on
        self._exchange = exchange
        self._fault = fault
        self._is_pending = True
        self._is_wanted = True

    async def __call__(self, message: Message) -> None:
        if self._is_pending and self._is_the_moment(message):
            self._is_pending = False
            message = await self._send_half(message) if self._fault.when == "during" else message
            self._is_wanted = await self._goes_on(self._exchange, self._fault)
        if self._is_wanted:
            await self._exchange.send(message)

    def _is_the_moment(self, message: Message) -> bool:
        starts = message["type"] == "http.response.start"
        return starts is (self._fault.when != "during")

    async def _send_half(self, message: Message) -> Message:
        """Send the first half of a piece of the body; returns what is left of it."""
        body = message.get("body", b"")
        half = len(body) // 2
        await self._exchange.send({**message, "body": body[:half], "more_body": True})
        return {**message, "body": body[half:]}


class TrickledSend:
    """Sends an endpoint's answer in small pieces, until nobody reads it any more."""

    def __init__(self, exchange: Exchange, fault: Trickle) -> None:
        self._exchange = exchange
        self._fault = fault

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        for start in range(0, len(body) - self._fault.bytes, self._fault.bytes):
            piece = body[start : start + self._fault.bytes]
            await self._exchange.send({**message, "body": piece, "more_body": True})
            if not await self._exchange.outlasts(asyncio.sleep(self._fault.seconds)):
                return
        if body:
            rest = len(body) % self._fault.bytes or self._fault.bytes
            message = {**message, "body": body[-rest:]}
        await self._exchange.send(message)
