"""PollShard: how often it asks, when it gives up, and what it makes of each answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import LeaseLost, StorageUnavailable
from nightmail.part import Ending
from nightmail.shard import ShardState
from nightmail.stores.claims import Claim

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import those
from tests.unit.samples import NOW
from tests.unit.world import World, requests

DAY = 86_400


def submitted(simulator: SimulatorClient, **more: Any) -> World:
    """A batch of three lines that is submitted and does not end by itself."""
    simulator.behave({"kind": "stuck_batch", "after_lines": 1})
    world = World(simulator, **more)
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    simulator.until_settled()
    return world


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    """One at OpenAI, whose words these tests speak; how others' words are read is told elsewhere."""
    return submitted(simulator)


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


def test_the_time_of_the_latest_news_is_kept(world: World) -> None:
    seen = []
    for status, completed in (("a", 1), ("a", 1), ("b", 1), ("b", 1), ("b", 2), ("b", 1)):
        world.now += 100
        answer_with(world, status=status, request_counts={"completed": completed})
        poll(world)
        seen.append(((world.shard.progressed_at or 0) - NOW) // 100)
    assert seen == [1, 1, 3, 3, 5, 5]


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


def test_a_batch_that_was_cancelled_with_nothing_is_not_waited_for(world: World) -> None:
    answer_with(world, status="cancelled")
    assert poll(world) == ("collect", 0)


def test_a_batch_that_expired_with_nothing_is_looked_at_again_before_its_lines_pass_on(
    world: World,
) -> None:
    answer_with(world, status="expired")
    steps = [poll(world) for _ in range(7)]
    assert steps == [("poll", 5 * 2**tries) for tries in range(6)] + [("collect", 0)]


def test_a_batch_that_expired_with_nothing_is_not_waited_for_where_nobody_is_asked_again(
    world: World,
) -> None:
    world.now = world.batch.expires_at
    answer_with(world, status="expired")
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
def test_a_provider_that_does_not_stop_is_left_after_three_hours(
    world: World, late: bool, ending: Ending
) -> None:
    if late:
        world.now += DAY
    else:
        world.cancel()
    answer_with(world, status="cancelling")
    assert poll(world)[0] == "poll"
    world.now += 3 * 3600 - 1
    assert poll(world)[0] == "poll"
    world.now += 1
    assert poll(world)[0] == "collect"
    assert world.shard.ending is ending


def test_a_batch_that_was_asked_to_stop_is_looked_at_soon(world: World) -> None:
    world.now += 8000
    assert poll(world) == ("poll", 900)
    world.cancel()
    answer_with(world, status="cancelling")
    assert poll(world) == ("poll", 5)
    world.now += 80
    assert poll(world) == ("poll", 10)


# ---- Before the deadline


@pytest.fixture
def finishing(simulator: SimulatorClient, native: NativeLane) -> World:
    """One whose lines are finished directly two hours before its end."""
    world = submitted(simulator, provider=native.provider)
    world.change_batch(on_deadline="finish_direct")
    world.now = world.batch.expires_at - 7200
    return world


def test_a_batch_is_looked_at_when_it_is_time_to_finish_directly(finishing: World) -> None:
    finishing.now -= 30
    assert poll(finishing) == ("poll", 30)
    assert finishing.shard.cancel_asked_at is None


@those(lambda lane: lane.cancels)
def test_what_is_owed_when_time_is_short_is_cancelled_at_the_provider(finishing: World) -> None:
    poll(finishing)
    finishing.simulator.until_settled()
    poll(finishing)
    assert finishing.shard.state is ShardState.ENDED
    assert finishing.shard.ending is Ending.EXPIRED
    assert [batch["status"] for batch in finishing.provider_batches()] == ["cancelled"]


@those(lambda lane: lane.cancels)
@pytest.mark.parametrize("broken", ["deaf", "away"])
def test_a_provider_that_does_not_stop_is_left_when_half_of_the_time_is_over(
    finishing: World, broken: str
) -> None:
    deaf = {"kind": "status", "status": 200, "body": "{}", "match": finishing.native.cancel}
    finishing.simulator.behave(deaf if broken == "deaf" else {"kind": "drop", "when": "before"})
    assert poll(finishing)[0] == "poll"
    finishing.now += 3599
    assert poll(finishing)[0] == "poll"
    finishing.now += 1
    assert poll(finishing)[0] == "collect"
    assert finishing.shard.ending is Ending.EXPIRED


@those(lambda lane: lane.cancels)
def test_a_caller_that_cancels_meanwhile_gives_the_provider_its_time(finishing: World) -> None:
    deaf = {"kind": "status", "status": 200, "body": "{}", "match": finishing.native.cancel}
    finishing.simulator.behave(deaf)
    finishing.now += 3599
    poll(finishing)
    finishing.cancel()
    finishing.now += 3 * 3600 - 1
    assert poll(finishing)[0] == "poll"
    finishing.now += 1
    assert poll(finishing)[0] == "collect"
    assert finishing.shard.ending is Ending.CANCELLED


@pytest.mark.parametrize("changes", [{"lane": "native"}, {"on_deadline": "expire"}])
def test_without_another_lane_or_wish_the_provider_works_until_the_end(
    simulator: SimulatorClient, native: NativeLane, changes: Json
) -> None:
    world = submitted(simulator, provider=native.provider)
    world.change_batch(**{"on_deadline": "finish_direct", **changes})
    world.now = world.batch.expires_at - 1
    assert poll(world)[0] == "poll"
    assert world.shard.cancel_asked_at is None


# ---- Whose a batch is


def adopted(simulator: SimulatorClient, *faults: Json) -> World:
    """A shard that has adopted its batch without being sure."""
    world = World(simulator, provider="anthropic")
    lost = {"kind": "drop", "when": "after", "times": 1, "match": world.native.create}
    simulator.behave(lost, *faults)
    world.create(requests(3))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    simulator.until_settled()
    world.step("SubmitShard", 1)
    return world


@pytest.mark.of("anthropic")
def test_an_adopted_batch_that_is_nobody_elses_goes_on(simulator: SimulatorClient) -> None:
    assert poll(adopted(simulator)) == ("collect", 0)


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("wish", ["cancel", "finish_direct"])
def test_an_adopted_batch_may_be_a_strangers_so_it_is_not_cancelled(
    simulator: SimulatorClient, wish: str
) -> None:
    world = adopted(simulator, {"kind": "stuck_batch"})
    world.change_batch(on_deadline="finish_direct")
    if wish == "cancel":
        world.cancel()
    else:
        world.now = world.batch.expires_at - 60
    assert poll(world)[0] == "poll"
    assert simulator.calls(**world.native.cancel) == []


@pytest.mark.of("anthropic")
def test_an_adopted_batch_that_turns_out_to_be_anothers_stops_the_shard(
    simulator: SimulatorClient,
) -> None:
    world = adopted(simulator)
    world.change_shard(fallbacks=[world.deployment("other")])
    claim = Claim(holder="another", certain=True, delete_at=NOW)
    assert world.stores.claims.take("anthropic", world.shard.provider_batch_id or "", claim)
    assert poll(world) == ("done", 0)
    assert world.shard.state is ShardState.STOPPED
    assert [error.code for error in world.shard.errors] == ["submission_unclear"]
    assert simulator.calls(**world.native.cancel) == []


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


@pytest.mark.parametrize("path", ["*", "poll"], ids=["and none is listed", "and it is listed"])
@pytest.mark.parametrize("status", [401, 404])
def test_a_batch_that_cannot_be_seen_may_be_paid_so_no_fallback_takes_its_lines(
    simulator: SimulatorClient, native: NativeLane, status: int, path: str
) -> None:
    world = submitted(simulator, provider=native.provider)
    world.change_shard(fallbacks=[world.deployment("other")], attempts=6)
    match = native.poll if path == "poll" else {}
    simulator.behave({"kind": "status", "status": status, "match": match})
    assert poll(world)[0] == "done"


def test_the_lines_of_a_batch_that_vanished_are_taken_by_a_fallback(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    world = submitted(simulator, provider=native.provider)
    others = [world.deployment("other")]
    world.change_shard(fallbacks=others, attempts=6, provider_batch_id="gone")
    assert poll(world)[0] == "collect"


def test_a_failed_batch_is_collected_for_its_fallback(world: World) -> None:
    world.change_shard(fallbacks=[world.deployment("other")])
    answer_with(world, status="failed", errors=[{"code": "c", "message": "No."}])
    assert poll(world) == ("collect", 0)
    assert world.shard.errors[0].message == "No."


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
