"""Calls that an engine makes through the real adapters to the simulator, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.providers.direct import DirectProvider
from nightmail.providers.registry import open_direct

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT
from tests.unit.machine import Json


def call_to(
    simulator: SimulatorClient,
    provider: str,
    model: str,
    body: Mapping[str, Any],
    endpoint: str = CHAT,
) -> Call:
    """A call of `body` to a model of the simulated provider."""
    base = simulator.base_of(provider)
    deployment = Deployment(name="public", provider=provider, model=model, api_base=base)
    return Call([deployment], endpoint, {"model": "public", **body})


def answer(call: Call) -> Json:
    """The whole answer."""

    async def ask() -> Json:
        async with Engine(_open) as engine:
            return (await engine.call(call)).body

    return asyncio.run(ask())


def stream(call: Call) -> list[Json]:
    """All chunks."""

    async def ask() -> list[Json]:
        async with Engine(_open) as engine:
            return [chunk async for chunk in engine.stream(call)]

    return asyncio.run(ask())


def _open(deployment: Deployment) -> DirectProvider:
    return open_direct(deployment, "key")
