"""What happens to every call before and after its endpoint: the log, the key, and the faults."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.simulator.errors import ApiError, failure, key_missing, key_refused, model_not_found
from local.simulator.exchange import Exchange
from local.simulator.faults import Drop, Hold, Interruption, RefusedKey, Slow, Status, UnknownModel
from local.simulator.requests import error_response
from local.simulator.simulator import Simulator

_OWN_PATHS = ("/_control/", "/_log")


class Traffic:
    """ASGI middleware around the provider's endpoints; the simulator's own pass untouched."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OWN_PATHS):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix("/v1")
        key = _key_of(scope)
        call = self._simulator.log.begin(
            method=scope["method"], path=path, query=scope["query_string"].decode(), key=key
        )
        exchange = Exchange({**scope, "path": path}, receive, send, call, key)
        try:
            await self._serve(exchange, key)
        finally:
            self._simulator.log.end(call)

    async def _serve(self, exchange: Exchange, key: str) -> None:
        facts = await exchange.read()
        if not key:
            await exchange.respond(error_response(key_missing()))
            return
        fault = self._simulator.behaviour.strike_call(facts)
        exchange.call.fault = fault.kind if fault else None
        match fault:
            case None:
                await self._pass_on(exchange, exchange.send)
            case Interruption():
                await self._interrupt(exchange, fault)
            case RefusedKey():
                await exchange.respond(error_response(key_refused(key[-4:])))
            case UnknownModel():
                await exchange.respond(error_response(model_not_found(facts.model or "")))
            case Status():
                await exchange.respond(_refusal(fault))

    async def _pass_on(self, exchange: Exchange, send: Send) -> None:
        await self._app(exchange.scope, exchange.receive, send)

    async def _interrupt(self, exchange: Exchange, fault: Interruption) -> None:
        if fault.when != "before":
            await self._pass_on(exchange, InterruptedSend(self, exchange, fault))
        elif await self.goes_on(exchange, fault):
            await self._pass_on(exchange, exchange.send)

    async def goes_on(self, exchange: Exchange, fault: Interruption) -> bool:
        """Let an interruption happen; false when nobody waits for the answer any more."""
        match fault:
            case Hold():
                with self._simulator.holds.enter(fault.name) as released:
                    return await exchange.outlasts(released.wait())
            case Slow():
                return await exchange.outlasts(asyncio.sleep(fault.seconds))
            case Drop():
                await exchange.drop()
        return False


class InterruptedSend:
    """Sends an endpoint's answer, with an interruption before it or in its middle."""

    def __init__(self, traffic: Traffic, exchange: Exchange, fault: Interruption) -> None:
        self._traffic = traffic
        self._exchange = exchange
        self._fault = fault
        self._is_pending = True
        self._is_wanted = True

    async def __call__(self, message: Message) -> None:
        if self._is_pending and self._is_the_moment(message):
            self._is_pending = False
            message = await self._send_half(message) if self._fault.when == "during" else message
            self._is_wanted = await self._traffic.goes_on(self._exchange, self._fault)
        if self._is_wanted:
            await self._exchange.send(message)

    def _is_the_moment(self, message: Message) -> bool:
        starts = message["type"] == "http.response.start"
        return starts is (self._fault.when == "after")

    async def _send_half(self, message: Message) -> Message:
        """Send the first half of a piece of the body; returns what is left of it."""
        body = message.get("body", b"")
        half = len(body) // 2
        await self._exchange.send({**message, "body": body[:half], "more_body": True})
        return {**message, "body": body[half:]}


def _key_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return str(value[7:].decode("latin-1")).strip()
    return ""


def _refusal(fault: Status) -> Response:
    typical = failure(fault.status)
    error = ApiError(
        fault.status,
        fault.message or typical.message,
        kind=typical.kind,
        code=fault.code or typical.code,
        param=typical.param,
    )
    response = error_response(error)
    if fault.body is not None:
        response = Response(fault.body, fault.status, media_type="text/html")
    if fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after}"
    return response
