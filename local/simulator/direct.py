"""The endpoints where a model answers at once, as a whole or as a stream.

They stand beside the web framework: what a bench measures should be the gateway, not the simulator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from starlette.types import Send

from local.simulator.behaviour import Facts
from local.simulator.billing import Account
from local.simulator.call_faults import BrokenStream, Interruption, Latency, Withheld
from local.simulator.delivery import GoesOn
from local.simulator.dialect import Event, Json
from local.simulator.errors import ApiError
from local.simulator.exchange import Exchange
from local.simulator.fault import Fault
from local.simulator.simulator import Simulator


class Direct:
    def __init__(self, simulator: Simulator, goes_on: GoesOn) -> None:
        self._simulator = simulator
        self._goes_on = goes_on

    async def serve(
        self, exchange: Exchange, facts: Facts, send: Send, fault: Fault | None
    ) -> None:
        """Answer a call. Of the faults those are acted upon here that change the answer itself."""
        withheld = fault.how if isinstance(fault, Withheld) else None
        try:
            body = _body_of(exchange)
            answer = self._simulator.executor(facts.provider).answer(
                facts.digest, facts.path, exchange.headers, body, withheld
            )
        except ApiError as error:
            await exchange.refuse(error)
            return
        latency = self._simulator.behaviour.latency_of(facts) or Latency()
        if latency.seconds and not await exchange.outlasts(asyncio.sleep(latency.seconds)):
            return
        account = Account(facts.provider, facts.model or "", "call", facts.key)
        self._simulator.ledger.pay(facts.digest, account, exchange.dialect.tokens(answer))
        if not facts.stream:
            await _send_whole(answer, send)
            return
        events = list(exchange.dialect.events(facts.path, body, answer))
        await Stream(events, exchange, send, latency).run(fault, self._goes_on)


class Stream:
    """Sends events one by one, each in a piece of its own, for as long as somebody reads them."""

    def __init__(
        self, events: Sequence[Event], exchange: Exchange, send: Send, latency: Latency
    ) -> None:
        self._events = events
        self._exchange = exchange
        self._send = send
        self._latency = latency
        tokens = [place for place, event in enumerate(events) if event.is_token]
        self._first = tokens[0] if tokens else len(events) - 1
        self._last = tokens[-1] if tokens else len(events) - 1

    async def run(self, fault: Fault | None, goes_on: GoesOn) -> None:
        self._exchange.watch()
        media_type = self._exchange.dialect.stream_type.encode()
        headers = [(b"content-type", media_type), (b"cache-control", b"no-cache")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        for place, event in enumerate(self._events):
            if isinstance(fault, BrokenStream) and place == self._place_of(fault.when):
                await self._break_off(fault)
                return
            if isinstance(fault, Interruption) and place == self._place_of(fault.when):
                await goes_on(self._exchange, fault)
            if not await self._send_event(place, event):
                return

    def _place_of(self, when: str) -> int | None:
        return {"first_token": self._first, "last_token": self._last}.get(when)

    async def _send_event(self, place: int, event: Event) -> bool:
        """False when nobody reads it any more."""
        pause = self._latency.first_token if place == self._first else self._latency.token
        if event.is_token and pause:
            await self._exchange.outlasts(asyncio.sleep(pause))
        else:
            await asyncio.sleep(0)  # lets others have their turn, and a departure be seen
        if self._exchange.is_gone:
            self._exchange.note_departure()
            return False
        is_last = place == len(self._events) - 1
        body = {"type": "http.response.body", "body": event.content, "more_body": not is_last}
        await self._send(body)
        if place == self._first and event.is_token:
            self._exchange.note_token()
        return True

    async def _break_off(self, fault: BrokenStream) -> None:
        self._exchange.spoils = True
        content = b""
        if fault.status is not None:
            dialect = self._exchange.dialect
            error = dialect.typical(fault.status)
            content = dialect.error_event(error, self._exchange.request_id)
        await self._send({"type": "http.response.body", "body": content, "more_body": False})


def _body_of(exchange: Exchange) -> Json:
    if exchange.body is None:
        raise ApiError(400, "The body of this request is not a valid JSON object.")
    return exchange.body


async def _send_whole(answer: Json, send: Send) -> None:
    content = orjson.dumps(answer)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
