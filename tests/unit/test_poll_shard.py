"""PollShard: how often it asks, when it gives up, and what it makes of each answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import LeaseLost, StorageUnavailable
from nightmail.part import Ending
from nightmail.shard import ShardState

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.samples import NOW
from tests.unit.world import World, requests

DAY = 86_400


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    """A batch of three lines that is submitted and does not end by itself."""
    simulator.behave({"kind": "stuck_batch", "after_lines": 1})
    world = World(simulator)
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    simulator.until_settled()
    return world


def poll(world: World) -> tuple[str, int]:
    step = world.step("PollShard", 1)
    return step["next"], step["wait_seconds"]


def answer_with(world: World, **fields: Any) -> None:
    """The next polls show this batch."""
    shown = {"id": world.shard.provider_batch_id, "object": "batch", **fields}
    world.simulator.behave(answered(shown))


def answered(shown: Json) -> Json:
    match = {"method": "GET", "path": "/batches/*"}
    return {"kind": "status", "status": 200, "body": json.dumps(shown), "match": match}


def test_the_wait_is_an_eighth_of_the_time_waited(world: World) -> None:
    waits = []
    for waited in (0, 40, 80, 800, 7200, DAY - 1):
        world.now = NOW + waited
        waits.append(poll(world))
    assert waits == [("poll", wait) for wait in (5, 5, 10, 100, 900, 900)]


def test_progress_is_kept_with_the_providers_word(world: World) -> None:
    poll(world)
    shard = world.shard
    assert (shard.reported_completed, shard.reported_failed) == (1, 0)
    assert shard.provider_status == "in_progress"


def test_an_unknown_word_counts_as_running(world: World) -> None:
    answer_with(world, status="reticulating")
    assert poll(world)[0] == "poll"
    assert world.shard.provider_status == "reticulating"


@pytest.mark.parametrize(
    ("reported", "kept"),
    [((2, 0), (2, 0)), ((0, 0), (1, 0)), ((9, 9), (3, 0)), ((1, 9), (1, 2)), ((-5, -5), (1, 0))],
)
def test_figures_never_go_back_nor_beyond_the_lines(
    world: World, reported: tuple[int, int], kept: tuple[int, int]
) -> None:
    poll(world)
    counts = dict(zip(("completed", "failed"), reported, strict=True))
    answer_with(world, status="in_progress", request_counts=counts)
    poll(world)
    shard = world.shard
    assert (shard.reported_completed, shard.reported_failed) == kept


@pytest.mark.parametrize(
    ("state", "goes_to"),
    [
        ("planned", "submit"),
        ("submitting", "submit"),
        ("ended", "collect"),
        ("collected", "done"),
        ("stopped", "done"),
    ],
)
def test_a_shard_in_another_state_is_sent_on(world: World, state: str, goes_to: str) -> None:
    world.change_shard(state=ShardState(state))
    calls = len(world.simulator.calls())
    assert poll(world)[0] == goes_to
    assert len(world.simulator.calls()) == calls


def test_an_unknown_batch_or_shard_is_done(world: World) -> None:
    assert world.step("PollShard", 7)["next"] == "done"
    assert World(world.simulator).step("PollShard", 1)["next"] == "done"


# ---- Ends


def test_an_end_is_noted_with_its_outputs(world: World) -> None:
    world.simulator.release()
    world.simulator.until_settled()
    assert poll(world) == ("collect", 0)
    shard = world.shard
    assert (shard.state, shard.ending) == (ShardState.ENDED, Ending.COMPLETED)
    assert shard.provider_output_ids == [world.provider_batches()[0]["output_file_id"]]


@pytest.mark.parametrize("status", ["completed", "cancelled", "expired"])
def test_outputs_that_have_to_be_there_are_waited_for(world: World, status: str) -> None:
    answer_with(world, status=status, request_counts={"completed": 2})
    steps = [poll(world) for _ in range(7)]
    assert steps == [("poll", 5 * 2**tries) for tries in range(6)] + [("collect", 0)]


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_a_batch_that_ended_with_nothing_is_not_waited_for(world: World, status: str) -> None:
    world.change_shard(reported_completed=0)
    answer_with(world, status=status)
    assert poll(world) == ("collect", 0)


def test_a_failed_batch_with_results_is_collected(world: World) -> None:
    answer_with(world, status="failed", output_file_id="file-1", errors=[{"code": "c"}])
    assert poll(world)[0] == "collect"
    shard = world.shard
    assert (shard.ending, shard.errors[0].code) == (Ending.FAILED, "c")


def test_a_batch_that_the_provider_gave_back_is_submitted_later_and_says_why(world: World) -> None:
    answer_with(
        world, status="failed", errors=[{"code": "token_limit_exceeded", "message": "Full."}]
    )
    assert poll(world) == ("submit", 20)
    shard = world.shard
    assert (shard.state, shard.returns, shard.last_refusal) == (ShardState.PLANNED, 1, "Full.")


def test_a_failed_batch_without_a_reason_says_so(world: World) -> None:
    answer_with(world, status="failed")
    assert poll(world)[0] == "done"
    assert world.shard.errors[0].message == "openai failed the batch and gave no reason."


# ---- Cancelling


def test_a_batch_that_wants_no_more_is_cancelled_once(world: World) -> None:
    world.cancel()
    answer_with(world, status="in_progress")
    for _ in range(3):
        assert poll(world)[0] == "poll"
    assert len(world.simulator.calls(path="/batches/*/cancel")) == 1


@pytest.mark.parametrize("status", [429, 500])
def test_a_cancel_that_did_not_arrive_is_sent_again(world: World, status: int) -> None:
    world.cancel()
    refusal = {"kind": "status", "status": status, "times": 1, "match": {"path": "*/cancel"}}
    world.simulator.behave(refusal)
    assert poll(world)[0] == "poll"
    poll(world)
    world.simulator.until_settled()
    assert poll(world)[0] == "collect"
    assert world.shard.ending is Ending.CANCELLED


@pytest.mark.parametrize(("late", "ending"), [(True, Ending.EXPIRED), (False, Ending.CANCELLED)])
def test_a_provider_that_does_not_stop_is_left_after_a_quarter_of_an_hour(
    world: World, late: bool, ending: Ending
) -> None:
    if late:
        world.now += DAY
    else:
        world.cancel()
    answer_with(world, status="cancelling")
    assert poll(world)[0] == "poll"
    world.now += 899
    assert poll(world)[0] == "poll"
    world.now += 1
    assert poll(world)[0] == "collect"
    assert world.shard.ending is ending


# ---- Failures


def test_a_look_that_succeeds_ends_a_row_of_failures(world: World) -> None:
    world.simulator.behave({"kind": "status", "status": 500, "times": 3})
    assert [poll(world)[1] for _ in range(3)] == [5, 10, 20]
    poll(world)
    assert world.shard.attempts == 0


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_waited_out_for_five_minutes(world: World, status: int) -> None:
    world.simulator.behave({"kind": "status", "status": status, "message": "No."})
    steps = [poll(world) for _ in range(7)]
    assert steps == [("poll", 5 * 2**tries) for tries in range(6)] + [("done", 0)]
    shard = world.shard
    assert (shard.state, shard.ending, shard.failed) == (ShardState.STOPPED, Ending.LOST, 3)
    assert shard.errors[0].message == f"openai answered {status}: No."


def test_a_provider_out_of_reach_is_asked_until_the_window_ends(world: World) -> None:
    world.simulator.behave({"kind": "drop", "when": "before"})
    for _ in range(20):
        assert poll(world)[0] == "poll"
    world.now = world.batch.expires_at + 900
    assert poll(world)[0] == "done"
    assert world.shard.ending is Ending.EXPIRED


def test_a_store_that_is_away_is_no_answer_of_the_provider(world: World) -> None:
    def broken(_: Deployment) -> Any:
        raise StorageUnavailable("The secret did not answer.")

    world.provider_of = broken
    with pytest.raises(StorageUnavailable):
        poll(world)
    assert world.shard.attempts == 0


def test_of_two_polls_at_once_one_writes(world: World) -> None:
    def meanwhile(deployment: Deployment) -> Any:
        world.change_shard(attempts=5)
        return provider_of(deployment)

    provider_of, world.provider_of = world.provider_of, meanwhile
    with pytest.raises(LeaseLost):
        poll(world)
    assert world.shard.attempts == 5
