"""Calls of one deployment or several, and providers that answer them by a script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.engine.lane import Lane
from nightmail.errors import GatewayError

from tests.unit.loopback import CHAT, GOOD, Script, Upstream, Visit

QUOTA = {"error": {"message": "No money.", "code": "insufficient_quota"}}


def answering(*answers: int | tuple[int, dict[str, str]], body: object = GOOD) -> Script:
    """Answers with these statuses (and headers) in turn, and well after them."""
    rest = list(answers)

    async def script(visit: Visit) -> None:
        answer = rest.pop(0) if rest else 200
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        await visit.answer(body if status != 200 else GOOD, status, **headers)

    return script


def at_most(width: int, seconds: float, **headers: str) -> tuple[Script, list[float]]:
    """A provider that answers 429 to all over `width` at a time; and when it did so."""
    inside = 0
    refusals: list[float] = []

    async def script(visit: Visit) -> None:
        nonlocal inside
        if inside >= width:
            refusals.append(visit.at)
            await visit.answer({}, 429, **headers)
            return
        inside += 1
        await asyncio.sleep(seconds)
        inside -= 1
        await visit.answer()

    return script, refusals


def call_of(*deployments: Deployment, prompt: str = "Hello", **settings: Any) -> Call:
    messages = [{"role": "user", "content": prompt}]
    return Call(deployments, CHAT, {"messages": messages}, **settings)


def first(lanes: Sequence[Lane]) -> Lane:
    """Chooses as the call wrote them, that a test may know who is asked."""
    return lanes[0]


def gaps(server: Upstream) -> list[float]:
    """The seconds between the requests that came."""
    return [later.at - earlier.at for earlier, later in pairwise(server.visits)]


async def failure(engine: Engine, call: Call) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await engine.call(call)
    return raised.value
