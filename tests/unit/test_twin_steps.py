"""A function that was given up on may still run: a twin of every step, at every call that it makes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.errors import GatewayError
from nightmail.providers.base import Limits
from nightmail.stores import multipart

from local.simulator.client import SimulatorClient
from tests.unit.fate import Fate
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import KILLED, NATIVE_LANES
from tests.unit.samples import NOW
from tests.unit.world import World, request, requests

LINES = 4
_MOST_CALLS = 1000


@pytest.fixture(params=KILLED)
def native(request: pytest.FixtureRequest) -> NativeLane:
    return NATIVE_LANES[request.param]


@dataclass
class Meeting(Fate):
    """At a function's `kill_at`-th call `meanwhile` comes in between."""

    meanwhile: Callable[[], object] = object

    def call(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.inside:
            self.calls += 1
            if self.calls == self.kill_at:
                self.meanwhile()
        return self.passed_on(function, *given, **named)


def twin_of(world: World, **more: Any) -> Callable[[], None]:
    """The same step with the same payload, in another process."""
    shared = {"dynamo": world.dynamo, "s3": world.s3, "lines_a_run": world.lines_a_run}
    other = World(world.simulator, **shared, **more)

    def run() -> None:
        state, payload = world.under_way
        with suppress(GatewayError):
            other.step(state, payload.get("shard", payload.get("chunk")))

    return run


@pytest.mark.parametrize("lines_a_run", [0, 2], ids=["whole", "suspended"])
def test_a_twin_at_any_call_changes_nothing(
    simulator: SimulatorClient,
    native: NativeLane,
    lines_a_run: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 300)
    monkeypatch.setattr(native.format, "limits", Limits(lines=3, bytes=10_000))
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        simulator.set(batch_seconds=0)
        meeting = Meeting(kill_at=number)
        world = World(simulator, fate=meeting, lines_a_run=lines_a_run, provider=native.provider)
        meeting.meanwhile = twin_of(world, provider=native.provider)
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(LINES)).output) == LINES
        assert len(world.provider_batches()) == 2
        if meeting.calls < number:
            return


def test_a_twin_passes_no_line_on_a_second_time(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    lines = [request(1), request(2, "[[fail:500:1]] Q2"), request(3)]
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        simulator.set(batch_seconds=0)
        meeting = Meeting(kill_at=number)
        world = World(simulator, fate=meeting, provider=native.provider)
        meeting.meanwhile = twin_of(world, provider=native.provider)
        world.create(lines, expires_at=NOW + 60 * 3600)
        assert world.run().state == "BatchEnded"
        assert world.check_promises(lines).lanes == ["native"] * 3
        assert [part.lines for part in world.parts] == [2, 1]
        assert len(world.provider_batches()) == 2
        if meeting.calls < number:
            return


@pytest.mark.parametrize("lines_a_run", [0, 3], ids=["whole", "suspended"])
def test_a_twin_of_a_worker_calls_nobody(simulator: SimulatorClient, lines_a_run: int) -> None:
    """At whatever moment it comes, the lease keeps it from calling while the other one may."""
    more: dict[str, Any] = {"lane": "direct", "chunk_lines": 5, "concurrency": 2}
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        meeting = Meeting(kill_at=number)
        world = World(simulator, fate=meeting, lines_a_run=lines_a_run, **more)
        meeting.meanwhile = twin_of(world, **more)
        world.create(requests(7))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(7), paid_once=False).output) == 7
        assert sum(simulator.paid().values()) <= 7 + 2 * 2
        if meeting.calls < number:
            return
