"""Lives of batches whose processes die: one for each call that they make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.simulator.client import SimulatorClient
from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.world import World

_MOST_CALLS = 1000


def worlds(simulator: SimulatorClient, *faults: Json, **more: Any) -> Iterator[World]:
    """A world with a kill behind each call, until one comes whose kill nobody meets.

    A kill before a call leaves what a kill behind the one before it leaves, so one of them is enough.
    """
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        simulator.set(batch_seconds=0)
        simulator.behave(*faults)
        world = World(simulator, fate=Fate(kill_at=number, after=True), **more)
        yield world
        if world.fate.calls < number:
            return


def repeats(simulator: SimulatorClient) -> int:
    """Calls that were paid although their lines had been paid before."""
    return sum(simulator.paid().values()) - len(simulator.paid())
