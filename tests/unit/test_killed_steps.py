"""The process of a step of the native lane is killed at every call it makes, and the promises hold."""

from __future__ import annotations

import pytest
from nightmail.batch import BatchStatus
from nightmail.providers.base import Limits
from nightmail.steps import collect_shard, collection
from nightmail.stores import multipart

from local.simulator.client import SimulatorClient
from tests.unit.deaths import repeats, worlds
from tests.unit.machine import Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import KILLED, NATIVE_LANES
from tests.unit.samples import NOW
from tests.unit.world import MODEL, World, request, requests

LINES = 4


@pytest.fixture(params=KILLED)
def native(request: pytest.FixtureRequest) -> NativeLane:
    return NATIVE_LANES[request.param]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a file of 16 MB or 50,000 lines meets, a file of a few lines meets as well."""
    monkeypatch.setattr(multipart, "PART_BYTES", 300)
    monkeypatch.setattr(collection, "RUN_BYTES", 1000)
    for lane in NATIVE_LANES.values():
        monkeypatch.setattr(lane.format, "limits", Limits(lines=3, bytes=1000))


def test_a_batch_completes(simulator: SimulatorClient, native: NativeLane) -> None:
    for world in worlds(simulator, provider=native.provider):
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(LINES)).output) == LINES
        assert len(world.provider_batches()) == 1


def test_a_batch_of_many_shards_and_suspended_steps_completes(
    simulator: SimulatorClient, native: NativeLane, small_pieces: None
) -> None:
    for world in worlds(simulator, provider=native.provider):
        world.lines_a_run = 2
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        assert len(world.check_promises(requests(LINES)).output) == LINES
        assert len(world.provider_batches()) == len(world.shards) == 2


def test_a_wrong_file_fails_and_nothing_is_sent(simulator: SimulatorClient) -> None:
    lines = [*requests(LINES), *requests(1)]
    for world in worlds(simulator):
        world.lines_a_run = 2
        world.create(lines)
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert [(error.code, error.line) for error in world.batch.errors] == [
            ("duplicate_custom_id", LINES + 1)
        ]
        assert simulator.calls() == []


def test_the_small_pieces_do_make_steps_stop_and_go_on(
    simulator: SimulatorClient, small_pieces: None
) -> None:
    world = World(simulator, lines_a_run=2)
    world.create(requests(LINES))
    world.run()
    for state in ("PlanBatch", "CollectShard", "FinalizeBatch"):
        assert world.machine.visited.count(state) > 2
    assert len(world.shards) == 2
    assert len(world.shards[0].runs) > 1


@pytest.mark.parametrize("fault", ["missing", "lost_create", "lost_results", "late_output"])
def test_a_batch_with_a_misbehaving_provider_completes(
    simulator: SimulatorClient,
    native: NativeLane,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults: dict[str, Json] = {
        "missing": {"kind": "missing"},
        "lost_create": {"kind": "drop", "when": "after", "match": native.create},
        "lost_results": {"kind": "drop", "when": "after", "match": native.content},
        "late_output": {"kind": "late_output", "polls": 2},
    }
    monkeypatch.setattr(collect_shard, "PATIENCE", 1)
    once = {**faults[fault], "times": 1}
    for world in worlds(simulator, once, provider=native.provider):
        world.create(requests(2))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.COMPLETED
        world.check_promises(requests(2), lost=int(fault == "missing"))
        assert len(world.provider_batches()) == 1


def test_a_batch_that_is_given_back_completes(simulator: SimulatorClient) -> None:
    errors = [{"code": "token_limit_exceeded", "message": "Full."}]
    given_back = {"kind": "failed_batch", "errors": errors, "times": 1}
    for world in worlds(simulator, given_back):
        world.create(requests(2))
        assert world.run().state == "BatchEnded"
        assert len(world.check_promises(requests(2)).output) == 2


def test_a_cancelled_batch_delivers_what_was_answered(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    for world in worlds(
        simulator, {"kind": "stuck_batch", "after_lines": 2}, provider=native.provider
    ):
        world.cancel_at = "WaitToPoll"
        world.create(requests(LINES))
        assert world.run().state == "BatchEnded"
        assert world.batch.status is BatchStatus.CANCELLED
        # What was adopted by its looks is not cancelled, and this one never ends by itself.
        lost = 2 if world.shard.is_adopted else 0
        assert len(world.check_promises(requests(LINES), lost=lost).output) == 2 - lost
        assert len(world.provider_batches()) == 1


def test_a_batch_that_its_provider_fails_ends_with_every_line_told(
    simulator: SimulatorClient,
) -> None:
    errors = [{"code": "invalid_request", "message": "No.", "param": "body.model", "line": 2}]
    for world in worlds(simulator, {"kind": "failed_batch", "errors": errors}):
        world.create(requests(2))
        assert world.run().state == "BatchFailed"
        assert world.batch.status is BatchStatus.FAILED
        assert [error.line for error in world.batch.errors] == [2]
        assert len(world.check_promises(requests(2)).errors) == 2


# ---- Lines that pass on


@pytest.mark.parametrize(("provider", "hours"), [("openai", 24), ("anthropic", 60)])
def test_a_batch_whose_lines_are_tried_again_completes(
    simulator: SimulatorClient, provider: str, hours: int
) -> None:
    """Within a window that is longer than the provider's they go natively, else directly."""
    lines = [request(1), request(2, "[[fail:500:1]] Q2"), request(3, "[[fail:400]]")]
    for world in worlds(simulator, provider=provider):
        world.create(lines, expires_at=NOW + hours * 3600)
        assert world.run().state == "BatchEnded"
        is_native = hours > 24
        results = world.check_promises(lines, paid_once=is_native)
        assert results.lanes == ["native", "native" if is_native else "direct"]
        assert len(world.provider_batches()) == 1 + is_native


def test_a_batch_that_a_fallback_takes_over_completes(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    other = next(each for each in NATIVE_LANES if each != native.provider)
    match = {"provider": native.provider, "method": "POST"}
    refusal = {"kind": "refused_key", "match": match}
    for world in worlds(simulator, refusal, provider=native.provider):
        world.fallbacks = {MODEL: ["other"]}
        world.groups = {"other": [world.deployment("other", provider=other)]}
        world.create(requests(3), expires_at=NOW + 60 * 3600)
        assert world.run().state == "BatchEnded"
        results = world.check_promises(requests(3))
        assert {line["nightmail"]["provider"] for line in results.output} == {other}
        assert len(world.provider_batches()) == 1


def test_lines_that_are_finished_directly_before_the_deadline_are_paid_on_one_lane(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    stuck = {"kind": "stuck_batch", "after_lines": 2}
    for world in worlds(simulator, stuck, provider=native.provider, concurrency=1):
        kill_at, world.fate.kill_at = world.fate.kill_at, 0
        world.create(requests(3), on_deadline="finish_direct")
        world.step("PlanBatch")
        world.step("SubmitShard", 1)
        world.now = world.batch.expires_at - 7200
        world.fate.calls, world.fate.kill_at = 0, kill_at
        assert world.run().state == "BatchEnded"
        results = world.check_promises(requests(3), paid_once=False)
        assert sorted(results.lanes) == ["direct", "native", "native"]
        assert repeats(simulator) <= 1
