"""FailBatch: a broken batch ends, says why, costs nothing more, and delivers what there is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.batch import BatchError, BatchStatus
from nightmail.errors import StorageUnavailable
from nightmail.part import Ending
from nightmail.shard import ShardState

from functions.fail_batch.handler import handler
from local.simulator.client import SimulatorClient
from tests.unit.gateway import LambdaContext
from tests.unit.machine import Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import those
from tests.unit.samples import BATCH_ID, sample_batch
from tests.unit.world import World, requests


@pytest.fixture
def world(simulator: SimulatorClient, native: NativeLane) -> World:
    return World(simulator, provider=native.provider)


def fail(world: World) -> str:
    while (step := world.step("FailBatch"))["next"] == "more":
        pass
    return str(step["next"])


def submitted(world: World, **fault: Any) -> World:
    """A batch whose provider is at work on it, and does not end by itself."""
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2, **fault})
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    return world


def test_a_batch_without_a_plan_fails_with_the_errors_that_planning_found(world: World) -> None:
    errors = [BatchError(code="invalid_url", message="Wrong.", param="url", line=3)]
    world.create(requests(3), errors=errors)
    assert fail(world) == "failed"
    assert world.batch.status is BatchStatus.FAILED
    assert world.batch.failed_at == world.now
    assert world.batch.errors == errors
    assert world.batch.counts.total == 0


def test_a_batch_that_broke_without_a_reason_points_to_the_log(world: World) -> None:
    world.create(requests(3))
    fail(world)
    (error,) = world.batch.errors
    assert error.code == "internal_error"
    assert "log" in error.message


@those(lambda lane: lane.cancels)
def test_a_batch_under_way_is_cancelled_at_its_provider(world: World) -> None:
    submitted(world)
    assert fail(world) == "failed"
    world.simulator.until_settled()
    assert world.provider_batches()[0]["status"] == "cancelled"
    assert (world.shards[0].state, world.shards[0].ending) == (ShardState.STOPPED, Ending.LOST)
    assert world.check_promises(requests(3), lost=2).error_codes == ["internal_error"] * 3


@those(lambda lane: lane.cancels)
def test_a_batch_whose_submission_was_unclear_is_cancelled_where_its_tag_tells_whose_it_is(
    world: World,
) -> None:
    lost = {"kind": "drop", "when": "after", "match": world.native.create}
    world.simulator.behave({"kind": "stuck_batch"}, lost)
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    assert world.shards[0].state is ShardState.SUBMITTING
    assert fail(world) == "failed"
    world.simulator.until_settled()
    status = "cancelled" if world.native.keeps_tags else "in_progress"
    assert world.provider_batches()[0]["status"] == status


def test_a_provider_that_is_out_of_reach_does_not_keep_a_batch_from_failing(world: World) -> None:
    submitted(world)
    world.simulator.behave({"kind": "drop", "when": "before"})
    assert fail(world) == "failed"


def test_what_was_fetched_before_it_broke_is_delivered(world: World) -> None:
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    world.simulator.until_settled()
    world.step("PollShard", 1)
    world.lines_a_run = 2
    assert world.step("CollectShard", 1)["next"] == "more"
    assert fail(world) == "failed"
    results = world.check_promises(requests(3), lost=1)
    assert (len(results.output), results.error_codes) == (2, ["internal_error"])


def test_a_late_batch_is_told_that_it_expired(world: World) -> None:
    submitted(world)
    world.now = world.batch.expires_at
    fail(world)
    assert world.check_promises(requests(3), lost=2).error_codes == ["batch_expired"] * 3


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_a_final_status_never_changes(world: World, status: str) -> None:
    world.stores.batches.create(sample_batch(status=status))
    before = world.batch
    assert fail(world) == "done"
    assert world.batch == before


def test_an_unknown_batch_is_done(world: World) -> None:
    assert fail(world) == "done"


# ---- Told by EventBridge


def broken_execution(name: str = BATCH_ID, status: str = "TIMED_OUT", **payload: Any) -> Json:
    task = {"v": 1, "owner": "alice", "batch_id": BATCH_ID, **payload}
    return {
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "detail": {"name": name, "status": status, "input": json.dumps(task)},
    }


@pytest.fixture
def in_aws(aws: None, simulator: SimulatorClient) -> World:
    """The world as the function sees it, with a batch that is not planned."""
    return World.in_aws(simulator)


def test_a_broken_execution_fails_its_batch(in_aws: World) -> None:
    in_aws.create(requests(1))
    assert handler(broken_execution(), LambdaContext())["next"] == "failed"
    assert in_aws.batch.status is BatchStatus.FAILED


def test_a_broken_child_of_a_map_does_not_fail_the_batch(in_aws: World) -> None:
    in_aws.create(requests(1))
    event = broken_execution(name="7ab3c", shard=1)
    assert handler(event, LambdaContext())["next"] == "done"
    assert in_aws.batch.status is BatchStatus.VALIDATING


def test_more_work_than_time_is_asked_for_again_by_an_error(in_aws: World) -> None:
    in_aws.create(requests(3))
    in_aws.step("PlanBatch")
    with pytest.raises(StorageUnavailable):
        handler(broken_execution(), LambdaContext(remaining_milliseconds=0))
