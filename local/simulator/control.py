"""The simulator's own endpoints: what it does wrong, what it has seen. They need no key."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.errors import ApiError
from local.simulator.faults import AnyFault
from local.simulator.log import Call
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


async def show_log(request: Request) -> Response:
    """The calls, all or those whose fields match: `?path=/batches&method=POST`."""
    wanted = dict(request.query_params)
    if unknown := wanted.keys() - Call.__dataclass_fields__.keys():
        raise ApiError(400, f"A call in the log has no '{unknown.pop()}'.")
    calls = [asdict(call) for call in simulator_of(request).log.matching(wanted)]
    return json_response({"count": len(calls), "calls": calls})


async def clear_log(request: Request) -> Response:
    simulator_of(request).log.clear()
    return json_response({"status": "ok"})


async def _read(request: Request, model: type[AModel]) -> AModel:
    body = await json_body(request) if await request.body() else {}
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ApiError(400, str(error)) from None


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
    Route("/_log", show_log),
    Route("/_log", clear_log, methods=["DELETE"]),
]
