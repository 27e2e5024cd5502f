"""What happens to every call before and after its endpoint: the log, the key, and the faults."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil

from starlette.types import ASGIApp, Receive, Scope, Send

from local.simulator.addresses import address_of
from local.simulator.behaviour import Armed, Facts
from local.simulator.call_faults import (
    Crowded,
    Drop,
    Hold,
    Interruption,
    RateLimited,
    RefusedKey,
    Slow,
    Status,
    Trickle,
    UnknownModel,
)
from local.simulator.delivery import InterruptedSend, TrickledSend
from local.simulator.dialects import dialect_of
from local.simulator.direct import Direct
from local.simulator.errors import ApiError
from local.simulator.exchange import Exchange
from local.simulator.fault import Fault
from local.simulator.openai_dialect import OpenAIDialect
from local.simulator.simulator import Simulator

_OWN_PATHS = ("/_control/", "/_log", "/_storage/")
_TOKENS = ("first_token", "last_token")


class Traffic:
    """ASGI middleware around the providers' endpoints; the simulator's own pass untouched."""

    def __init__(self, app: ASGIApp, simulator: Simulator, pages: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._pages = pages
        self._simulator = simulator
        self._direct = Direct(simulator, self.goes_on)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OWN_PATHS):
            await self._app(scope, receive, send)
            return
        log, address = self._simulator.log, address_of(scope["path"])
        call = log.begin(
            method=scope["method"],
            provider=address.provider,
            path=address.path,
            query=scope["query_string"].decode(),
        )
        dialect = dialect_of(address.provider)
        exchange = Exchange(scope, receive, send, call=call, log=log, dialect=dialect)
        try:
            await self._serve(exchange)
        finally:
            exchange.close()
            log.end(call)

    async def _serve(self, exchange: Exchange) -> None:
        facts = await exchange.read()
        self._simulator.log.arrive(exchange.call)
        if not exchange.key:
            await exchange.refuse(exchange.dialect.key_missing())
            return
        try:
            exchange.dialect.check_signature(exchange.arrived)
        except ApiError as error:
            await exchange.refuse(error)
            return
        behaviour = self._simulator.behaviour
        armed = behaviour.strike_call(facts)
        if armed and isinstance(armed.fault, Crowded | RateLimited):
            exchange.call.fault = armed.fault.kind
            await exchange.refuse(_limit_reached(exchange, armed, armed.fault))
            return
        fault = armed.fault if armed else None
        exchange.call.fault = fault.kind if fault else None
        with behaviour.let_in(facts):
            await self._meet(exchange, facts, fault)

    async def _meet(self, exchange: Exchange, facts: Facts, fault: Fault | None) -> None:
        dialect = exchange.dialect
        match fault:
            case RefusedKey():
                await exchange.refuse(dialect.key_refused(exchange.key[-4:]))
            case UnknownModel():
                await exchange.refuse(dialect.model_not_found(facts.model or ""))
            case Status():
                await _refuse(exchange, fault)
            case Trickle():
                await self._pass_on(exchange, facts, TrickledSend(exchange, fault), None)
            case Interruption():
                await self._interrupt(exchange, facts, fault)
            case _:
                await self._pass_on(exchange, facts, exchange.send, fault)

    async def _pass_on(
        self, exchange: Exchange, facts: Facts, send: Send, fault: Fault | None
    ) -> None:
        if facts.method == "POST" and facts.path in exchange.dialect.paths:
            await self._direct.serve(exchange, facts, send, fault)
        elif page := self._page_of(exchange):
            await page(exchange.scope, exchange.receive, send)
        else:
            message = f"There is no {facts.method} {facts.path}."
            await exchange.refuse(ApiError(404, message, kind="not_found_error"))

    def _page_of(self, exchange: Exchange) -> ASGIApp | None:
        """The application with all that a provider has besides a model's direct answers."""
        own = self._pages.get(exchange.call.provider)
        speaks_openai = isinstance(exchange.dialect, OpenAIDialect)
        return self._app if speaks_openai and own is None else own

    async def _interrupt(self, exchange: Exchange, facts: Facts, fault: Interruption) -> None:
        if fault.when in _TOKENS and facts.stream:
            await self._pass_on(exchange, facts, exchange.send, fault)
        elif fault.when != "before":
            send = InterruptedSend(self.goes_on, exchange, fault)
            await self._pass_on(exchange, facts, send, None)
        elif await self.goes_on(exchange, fault):
            await self._pass_on(exchange, facts, exchange.send, None)

    async def goes_on(self, exchange: Exchange, fault: Interruption) -> bool:
        """Let an interruption happen; false when nobody waits for the answer any more."""
        match fault:
            case Hold():
                return await self._hold(exchange, fault)
            case Slow():
                return await exchange.outlasts(asyncio.sleep(fault.seconds))
            case Drop():
                await exchange.drop()
        return False

    async def _hold(self, exchange: Exchange, fault: Hold) -> bool:
        log = self._simulator.log
        with self._simulator.holds.enter(fault.name) as released:
            log.note("held", exchange.call)
            goes_on = await exchange.outlasts(released.wait())
        if goes_on:
            log.note("released", exchange.call)
        return goes_on


def _limit_reached(exchange: Exchange, armed: Armed, fault: Crowded | RateLimited) -> ApiError:
    error = exchange.dialect.typical(429)
    wait = armed.seconds_to_wait() if fault.retry_after is None else fault.retry_after
    error.headers["retry-after"] = f"{ceil(wait) if fault.retry_after is None else wait}"
    return error


async def _refuse(exchange: Exchange, fault: Status) -> None:
    exchange.spoils = True
    headers = {**fault.headers}
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after}"
    if fault.body is not None:
        headers["content-type"] = fault.media_type
        await exchange.respond(fault.status, fault.body.encode(), headers)
        return
    typical = exchange.dialect.typical(fault.status)
    # When to come back is told where the fault says so, and not else.
    told = {name: value for name, value in typical.headers.items() if name != "retry-after"}
    error = ApiError(
        fault.status,
        fault.message or typical.message,
        kind=fault.type or typical.kind,
        code=fault.code or typical.code,
        param=typical.param,
        headers={**told, **headers},
    )
    await exchange.refuse(error)
