"""The simulator's own endpoints: what it does wrong, what it has seen. They need no key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.errors import ApiError
from local.simulator.faults import AnyFault
from local.simulator.holds import first_of
from local.simulator.log import Call, Watch
from local.simulator.requests import json_body, json_response, simulator_of
from local.simulator.simulator import Settings

AModel = TypeVar("AModel", bound=BaseModel)


class BehaviourRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    behaviours: list[AnyFault]


class ReleaseRequest(BaseModel):
    """Without a name, everything that waits is released."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None


async def health(_: Request) -> Response:
    return json_response({"status": "ok"})


async def set_behaviour(request: Request) -> Response:
    """The given faults take the place of those that were set before; `[]` ends them all."""
    wanted = await _read(request, BehaviourRequest)
    simulator_of(request).behaviour.replace(wanted.behaviours)
    return await show_behaviour(request)


async def show_behaviour(request: Request) -> Response:
    """The faults that are set, each with how often it has struck."""
    armed = simulator_of(request).behaviour.armed
    shown = [{**one.fault.model_dump(mode="json"), "struck": one.struck} for one in armed]
    return json_response({"behaviours": shown})


async def change_settings(request: Request) -> Response:
    """Changes the settings that are given, for batches to come, and shows all of them."""
    simulator = simulator_of(request)
    await _read(request, Settings)
    changed = simulator.settings.model_dump() | await json_body(request)
    simulator.settings = Settings.model_validate(changed)
    return json_response(simulator.settings.model_dump())


async def show_holds(request: Request) -> Response:
    """The names of the calls and batches that wait for their release now."""
    return json_response({"waiting": simulator_of(request).holds.names})


async def release(request: Request) -> Response:
    wanted = await _read(request, ReleaseRequest)
    simulator_of(request).log.note("release", name=wanted.name or "")
    return json_response({"released": simulator_of(request).holds.release(wanted.name)})


async def reset(request: Request) -> Response:
    await simulator_of(request).reset()
    return json_response({"status": "ok"})


async def show_batches(request: Request) -> Response:
    """All batches as they truly are, with `executed`: how many of their lines were run."""
    batches = simulator_of(request).batches.all()
    return json_response({"batches": [one.true_object() for one in batches]})


async def show_executions(request: Request) -> Response:
    """By the digest of a request: how often it was run, and how often that was paid."""
    ledger = simulator_of(request).ledger
    return json_response({"attempts": ledger.attempts, "paid": ledger.paid})


async def show_billed(request: Request) -> Response:
    """The tokens of all answers by provider, model and lane; `?key=abcd` of keys that end so."""
    rows = simulator_of(request).ledger.billing.rows(request.query_params.get("key", ""))
    return json_response({"billed": list(rows)})


async def show_log(request: Request) -> Response:
    """The calls, all or those whose fields match: `?path=/batches&method=POST`."""
    calls = simulator_of(request).log.matching(_wanted(dict(request.query_params)))
    return _calls_response(calls)


async def await_calls(request: Request) -> Response:
    """The calls that match once so many have met with an event, or those that have when time is up."""
    query = dict(request.query_params)
    event, count = query.pop("event"), int(query.pop("count"))
    seconds = float(query.pop("seconds"))
    watch = Watch(event, _wanted(query), count)
    with simulator_of(request).log.watching(watch):
        await first_of(watch.is_over, seconds=seconds)
    return _calls_response([watch.calls[number] for number in sorted(watch.calls)])


async def show_events(request: Request) -> Response:
    """All that happened to calls, and the releases of holds, in their order."""
    events = simulator_of(request).log.events
    return json_response({"events": [event._asdict() for event in events]})


async def show_totals(request: Request) -> Response:
    """By provider and model: how many calls there were, and what became of them."""
    shown: dict[str, dict[str, Any]] = {}
    for (provider, model), totals in simulator_of(request).log.totals.items():
        shown.setdefault(provider, {})[model] = asdict(totals)
    return json_response({"totals": shown})


async def clear_log(request: Request) -> Response:
    simulator_of(request).log.clear()
    return json_response({"status": "ok"})


async def _read(request: Request, model: type[AModel]) -> AModel:
    body = await json_body(request) if await request.body() else {}
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ApiError(400, str(error)) from None


def _wanted(query: dict[str, str]) -> dict[str, str]:
    if unknown := query.keys() - Call.__dataclass_fields__.keys():
        raise ApiError(400, f"A call in the log has no '{unknown.pop()}'.")
    return query


def _calls_response(calls: list[Call]) -> Response:
    return json_response({"count": len(calls), "calls": [asdict(call) for call in calls]})


ROUTES = [
    Route("/_control/health", health),
    Route("/_control/behaviour", set_behaviour, methods=["POST"]),
    Route("/_control/behaviour", show_behaviour),
    Route("/_control/settings", change_settings, methods=["POST"]),
    Route("/_control/holds", show_holds),
    Route("/_control/release", release, methods=["POST"]),
    Route("/_control/reset", reset, methods=["POST"]),
    Route("/_control/batches", show_batches),
    Route("/_control/executions", show_executions),
    Route("/_control/billed", show_billed),
    Route("/_log", show_log),
    Route("/_log/await", await_calls),
    Route("/_log/events", show_events),
    Route("/_log/totals", show_totals),
    Route("/_log", clear_log, methods=["DELETE"]),
]
