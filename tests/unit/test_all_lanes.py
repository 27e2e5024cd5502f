"""One file over all native lanes at once: every provider's batches, and their moods, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.providers.registry import open_format

from local.simulator.client import SimulatorClient
from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.world import World, request

LINES = 6
"""How many lines each provider has, if it takes so few."""


@dataclass
class Often(Fate):
    """Kills behind one call after the other, with gaps between them: the longest lets any function end."""

    after: bool = True
    gaps: Iterator[int] = field(default_factory=lambda: cycle((7, 19, 110)))
    kills: int = -1

    def call(self, *given: Any, **named: Any) -> Any:
        if self.calls >= self.kill_at and not self.dead:
            self.kill_at, self.kills = self.calls + next(self.gaps), self.kills + 1
        return super().call(*given, **named)


def mixed_world(simulator: SimulatorClient, **more: Any) -> World:
    """Each provider has a model of its own name."""
    world = World(simulator, lane="native", **more)
    world.groups = {
        name: [world.deployment(name, provider=name, lane="native")] for name in NATIVE_LANES
    }
    return world


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    return mixed_world(simulator)


def mixed(world: World) -> list[Json]:
    """The providers take turns, and ask different things."""
    counts = {
        name: max(LINES, open_format(deployment).limits.minimum_lines)
        for name, (deployment,) in world.groups.items()
    }
    turns = [
        name
        for turn in range(max(counts.values()))
        for name, count in counts.items()
        if turn < count
    ]
    return [_line(number, name) for number, name in enumerate(turns, 1)]


def _line(number: int, model: str) -> Json:
    asked = request(number)
    return {**asked, "body": {**asked["body"], "model": model, "max_tokens": 50}}


def lived(world: World, *faults: Json) -> set[str]:
    """Who answered, when all lines were answered and paid once."""
    lines = mixed(world)
    world.simulator.behave(*faults)
    world.create(lines)
    assert world.run().state == "BatchEnded"
    results = world.check_promises(lines)
    assert world.batch.status is BatchStatus.COMPLETED
    assert len(results.output) == len(lines)
    assert set(results.lanes) == {"native"}
    return {line["nightmail"]["provider"] for line in results.output}


def test_every_provider_answers_its_lines_of_one_file(world: World) -> None:
    assert lived(world) == set(NATIVE_LANES)


def test_kills_again_and_again_lose_and_repeat_nothing(simulator: SimulatorClient) -> None:
    fate = Often()
    world = mixed_world(simulator, fate=fate)
    world.groups = {name: world.groups[name] for name, lane in NATIVE_LANES.items() if lane.lists}
    assert lived(world) == set(world.groups)
    assert fate.kills > 5


def test_moods_of_all_at_once_lose_and_repeat_nothing(world: World) -> None:
    lost: list[Json] = [
        {"kind": "drop", "when": "after", "times": 1, "match": lane.create}
        for lane in NATIVE_LANES.values()
        if lane.lists
    ]
    torn: list[Json] = [
        {"kind": "drop", "when": "during", "times": 1, "match": lane.content}
        for lane in NATIVE_LANES.values()
    ]
    away: Json = {"kind": "status", "status": 503, "share": 0.2, "match": {"method": "GET"}}
    moods: list[Json] = [
        {"kind": "odd_status", "polls": 1},
        {"kind": "lagging_counts", "polls": 1},
        {"kind": "late_output", "polls": 1},
        {"kind": "duplicated"},
    ]
    assert lived(world, *lost, *torn, away, *moods) == set(NATIVE_LANES)
