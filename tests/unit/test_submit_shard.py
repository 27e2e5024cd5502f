"""SubmitShard: what pays is done once, whoever dies, doubts or competes."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from nightmail.deployment import Deployment, Lane
from nightmail.errors import CredentialMissing, StorageUnavailable
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider
from nightmail.providers.registry import open_format, open_provider
from nightmail.shard import ShardState
from nightmail.stores.claims import Claim

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json, Killed
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import those
from tests.unit.samples import NOW
from tests.unit.world import KEY, LEASE_SECONDS, World, requests

DAY = 86_400
WAITED_FOR = 3 * 3600  # after the batch's window, which is as long as the provider's
_MOST_CALLS = 100


def planned(simulator: SimulatorClient, **more: Any) -> World:
    """A batch that is planned."""
    world = World(simulator, **more)
    world.create(requests(3))
    world.step("PlanBatch")
    return world


@pytest.fixture
def world(simulator: SimulatorClient, native: NativeLane) -> World:
    return planned(simulator, provider=native.provider)


def submit(world: World) -> tuple[str, int]:
    """Where the state machine goes, and how long it waits before."""
    step = world.step("SubmitShard", 1)
    return step["next"], step["wait_seconds"]


def test_a_planned_shard_is_submitted_and_its_lease_given_back(world: World) -> None:
    assert submit(world) == ("poll", 5)
    shard = world.shard
    (batch,) = world.provider_batches()
    assert (shard.state, shard.provider_batch_id) == (ShardState.SUBMITTED, batch["id"])
    assert (shard.submitted_at, shard.lease_until, shard.attempts) == (NOW, 0, 0)


@those(lambda lane: lane.cancels)
@pytest.mark.parametrize(
    ("seconds", "patience"), [(3600, 900), (DAY, DAY // 4), (7 * DAY, DAY // 4)]
)
def test_a_provider_that_counts_has_a_quarter_of_the_time_for_its_next_news(
    native: NativeLane, simulator: SimulatorClient, seconds: int, patience: int
) -> None:
    world = World(simulator, provider=native.provider)
    world.create(requests(3), expires_at=NOW + seconds, on_deadline="finish_direct")
    world.step("PlanBatch")
    submit(world)
    counts = open_format(world.shard.deployment).live_counts
    assert world.shard.patience_seconds == (patience if counts else None)


@pytest.mark.parametrize(
    ("state", "goes_to"),
    [("submitted", "poll"), ("ended", "collect"), ("collected", "done"), ("stopped", "done")],
)
def test_a_shard_that_is_further_is_sent_on(world: World, state: str, goes_to: str) -> None:
    world.change_shard(state=ShardState(state))
    assert submit(world)[0] == goes_to
    assert world.simulator.calls() == []
    assert world.shard.lease_until == 0


def test_an_unknown_batch_or_shard_is_done(world: World) -> None:
    assert world.step("SubmitShard", 7)["next"] == "done"
    nobody = World(world.simulator)
    assert nobody.step("SubmitShard", 1)["next"] == "done"


@pytest.mark.parametrize(("late", "ending"), [(DAY, Ending.EXPIRED), (0, Ending.CANCELLED)])
def test_a_batch_that_wants_no_more_is_not_submitted(
    world: World, late: int, ending: Ending
) -> None:
    if not late:
        world.cancel()
    world.now += late
    assert submit(world)[0] == "done"
    shard = world.shard
    assert (shard.state, shard.ending, shard.failed) == (ShardState.STOPPED, ending, 3)
    assert world.simulator.calls() == []


# ---- Leases


def test_while_a_lease_is_held_nothing_is_sent(world: World) -> None:
    world.stores.parts.hold(world.shard, world.now, LEASE_SECONDS)
    world.now += LEASE_SECONDS - 1
    assert submit(world) == ("submit", 30)
    assert world.simulator.calls() == []


def test_a_lease_that_ran_out_is_taken_over(world: World) -> None:
    world.stores.parts.hold(world.shard, world.now, LEASE_SECONDS)
    world.now += LEASE_SECONDS
    assert submit(world)[0] == "poll"


def test_an_attempt_that_was_overtaken_sends_nothing(world: World) -> None:
    def overtaken(deployment: Deployment) -> Any:
        world.change_shard(lease_until=world.now + LEASE_SECONDS)
        return provider_of(deployment)

    provider_of, world.provider_of = world.provider_of, overtaken
    assert submit(world) == ("submit", 30)
    assert world.simulator.batches() == []


def test_an_attempt_that_breaks_off_gives_its_lease_back(world: World) -> None:
    def broken(_: Deployment) -> Any:
        raise StorageUnavailable("The secret did not answer.")

    world.provider_of = broken
    with pytest.raises(StorageUnavailable):
        submit(world)
    assert world.shard.lease_until == 0


@those(lambda lane: lane.cancels)
def test_a_batch_that_was_started_for_an_abandoned_shard_is_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The execution was aborted, and FailBatch stopped the shard while we submitted it."""
    adapter = type(open_provider(world.deployment(), KEY))
    start = adapter.submit

    def start_too_late(self: BatchProvider, *given: Any) -> str:
        started = start(self, *given)
        world.change_shard(state=ShardState.STOPPED, lease_until=0)
        return started

    monkeypatch.setattr(adapter, "submit", start_too_late)
    world.simulator.behave({"kind": "stuck_batch"})
    assert submit(world)[0] == "submit"
    assert submit(world)[0] == "done"
    world.simulator.until_settled()
    assert [batch["status"] for batch in world.provider_batches()] == ["cancelled"]


# ---- Refusals


@pytest.mark.parametrize("status", [429, 503])
def test_a_clear_refusal_leaves_the_shard_planned_for_a_later_try(
    world: World, status: int
) -> None:
    match = world.native.create
    refusal = {"kind": "status", "status": status, "retry_after": 77, "match": match}
    world.simulator.behave(refusal)
    assert submit(world) == ("submit", 77)
    shard = world.shard
    assert (shard.state, shard.attempts, shard.lease_until) == (ShardState.PLANNED, 1, 0)
    uploads = world.simulator.calls(method="POST", path=world.native.upload)
    assert bool(uploads) is bool(world.native.upload)
    world.simulator.behave()
    assert submit(world)[0] == "poll"
    assert world.simulator.calls(method="POST", path=world.native.upload) == uploads


def test_tries_are_made_less_and_less_often(world: World) -> None:
    world.simulator.behave({"kind": "status", "status": 429})
    waits = [submit(world)[1] for _ in range(12)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


def refuse(world: World, status: int) -> None:
    match = world.native.create
    world.simulator.behave({"kind": "status", "status": status, "message": "No.", "match": match})


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_batch_that_its_provider_does_not_take_is_called(world: World, status: int) -> None:
    refuse(world, status)
    assert submit(world)[0] == "collect"
    shard = world.shard
    assert (shard.state, shard.ending) == (ShardState.ENDED, Ending.FAILED)
    assert shard.last_refusal
    assert re.fullmatch(rf"{world.provider} answered {status}: .*No\.", shard.last_refusal)
    assert world.run().state == "BatchEnded"
    results = world.check_promises(requests(3), paid_once=False)
    assert results.lanes == ["direct"] * 3
    assert world.provider_batches() == []


@pytest.mark.parametrize(
    ("status", "lane"),
    [(401, "auto"), (402, "auto"), (403, "auto"), (400, "native"), (404, "native")],
)
def test_a_refusal_that_nothing_heals_stops_the_shard(
    simulator: SimulatorClient, native: NativeLane, status: int, lane: Lane
) -> None:
    world = planned(simulator, provider=native.provider, lane=lane)
    refuse(world, status)
    assert submit(world)[0] == "done"
    shard = world.shard
    assert (shard.state, shard.ending, shard.failed) == (ShardState.STOPPED, Ending.FAILED, 3)
    assert [error.message for error in shard.errors] == [f"{world.provider} answered {status}: No."]


def test_a_missing_credential_stops_the_shard_by_name(world: World) -> None:
    def broken(_: Deployment) -> Any:
        raise CredentialMissing("OPENAI_API_KEY is not known.")

    world.provider_of = broken
    assert submit(world)[0] == "done"
    assert world.shard.errors[0].message == "OPENAI_API_KEY is not known."


def test_a_garbled_upload_is_tried_again_but_not_for_ever(simulator: SimulatorClient) -> None:
    world = planned(simulator)
    garbled = {"kind": "status", "status": 200, "body": "<html>", "match": {"path": "/files"}}
    world.simulator.behave(garbled)
    steps = [submit(world)[0] for _ in range(7)]
    assert steps == ["submit"] * 6 + ["done"]
    assert world.shard.ending is Ending.FAILED


# ---- Unclear answers


def lose_the_answer(world: World, when: str, *more: Json) -> None:
    match = world.native.create
    world.simulator.behave({"kind": "drop", "when": when, "times": 1, "match": match}, *more)
    assert submit(world) == ("submit", 40)
    shard = world.shard
    assert (shard.state, shard.lease_until) == (ShardState.SUBMITTING, 0)


@those(lambda lane: lane.lists)
def test_a_batch_whose_answer_was_lost_is_found_and_adopted(world: World) -> None:
    lose_the_answer(world, "after")
    assert submit(world)[0] == "poll"
    (batch,) = world.provider_batches()
    assert world.shard.provider_batch_id == batch["id"]


@those(lambda lane: lane.lists)
def test_a_batch_that_is_not_found_is_looked_for_twice_and_then_submitted(world: World) -> None:
    lose_the_answer(world, "before")
    assert submit(world)[0] == "submit"
    assert world.simulator.batches() == []
    assert submit(world)[0] == "poll"
    assert len(world.provider_batches()) == 1
    assert len(world.simulator.calls(**world.native.list)) == 2


@those(lambda lane: lane.lists)
def test_a_look_that_failed_is_no_look(world: World) -> None:
    away = {"kind": "status", "status": 500, "times": 3, "match": world.native.list}
    lose_the_answer(world, "before", away)
    for _ in range(3):
        assert submit(world)[0] == "submit"
    assert world.shard.looks == 0
    assert submit(world)[0] == "submit"
    assert world.simulator.batches() == []


def test_an_unclear_batch_is_not_submitted_again_when_it_is_cancelled_meanwhile(
    world: World,
) -> None:
    lose_the_answer(world, "before")
    world.cancel()
    assert [submit(world)[0] for _ in range(2)] == ["submit", "done"]
    assert world.shard.ending is Ending.CANCELLED
    assert world.simulator.batches() == []


@those(lambda lane: lane.lists)
def test_a_list_that_stays_out_of_reach_ends_with_the_window(world: World) -> None:
    lose_the_answer(world, "before", {"kind": "status", "status": 500, "match": world.native.list})
    world.now += DAY
    assert submit(world)[0] == "submit"
    world.now += 900
    assert submit(world)[0] == "done"
    assert world.shard.ending is Ending.EXPIRED


def test_a_submission_that_cannot_be_looked_for_is_sent_nowhere_else(world: World) -> None:
    world.change_shard(fallbacks=[world.deployment("other")])
    no_list = {"kind": "status", "status": 405, "match": world.native.list}
    lose_the_answer(world, "before", no_list)
    assert submit(world)[0] == "done"
    assert world.shard.ending is Ending.FAILED
    assert [error.code for error in world.shard.errors] == ["submission_unclear"]
    assert world.simulator.batches() == []


def test_a_key_that_is_gone_after_an_unclear_answer_sends_the_lines_nowhere_else(
    world: World,
) -> None:
    world.change_shard(fallbacks=[world.deployment("other")])
    lose_the_answer(world, "before")

    def broken(_: Deployment) -> Any:
        raise CredentialMissing("OPENAI_API_KEY is not known.")

    world.provider_of = broken
    assert submit(world)[0] == "done"
    (error,) = world.shard.errors
    assert error.code == "submission_unclear"
    assert error.message.endswith("OPENAI_API_KEY is not known.")


# ---- Whose a batch is


def claim(world: World, provider_batch_id: str, *, certain: bool) -> None:
    """Another part says that a provider's batch is its own."""
    claim = Claim(holder="another", certain=certain, delete_at=NOW)
    assert world.stores.claims.take(world.provider, provider_batch_id, claim)


def holder_of(world: World, batch: Json) -> Claim | None:
    return world.stores.claims.find(world.provider, batch["id"])


def test_a_batch_belongs_to_the_shard_that_submitted_it(world: World) -> None:
    submit(world)
    held = holder_of(world, world.provider_batches()[0])
    assert held
    assert (held.holder, held.certain) == (world.shard.name, True)
    assert not world.shard.is_adopted


@those(lambda lane: lane.lists)
def test_an_adopted_batch_is_certain_only_where_the_provider_keeps_our_tag(world: World) -> None:
    lose_the_answer(world, "after")
    submit(world)
    held = holder_of(world, world.provider_batches()[0])
    assert held
    assert (held.holder, held.certain) == (world.shard.name, world.native.keeps_tags)
    assert world.shard.is_adopted is not world.native.keeps_tags


def untagged(simulator: SimulatorClient) -> World:
    """A shard at a provider that keeps no tags, whose batch was started without our hearing of it."""
    world = planned(simulator, provider="anthropic")
    lose_the_answer(world, "after")
    return world


def start_another(world: World) -> Json:
    """Somebody else starts a batch of as many lines."""
    known = {batch["id"] for batch in world.simulator.batches()}
    other = World(world.simulator, provider=world.provider)
    other.create(requests(3))
    other.step("PlanBatch")
    other.step("SubmitShard", 1)
    (batch,) = [each for each in world.simulator.batches() if each["id"] not in known]
    return batch


@pytest.mark.of("anthropic")
def test_a_batch_that_another_shard_submitted_is_not_adopted(simulator: SimulatorClient) -> None:
    world = untagged(simulator)
    other = start_another(world)
    claim(world, other["id"], certain=True)
    assert submit(world)[0] == "poll"
    assert world.shard.provider_batch_id not in {None, other["id"]}


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("adopted", [True, False])
def test_where_any_of_several_batches_may_be_the_shards_nothing_is_sent_again(
    simulator: SimulatorClient, adopted: bool
) -> None:
    world = untagged(simulator)
    other = start_another(world)
    if adopted:
        claim(world, other["id"], certain=False)
    assert submit(world)[0] == "done"
    assert [error.code for error in world.shard.errors] == ["submission_unclear"]
    assert len(simulator.batches()) == 2


@pytest.mark.of("anthropic")
def test_where_another_shard_has_adopted_what_may_be_ours_nothing_is_sent_again(
    simulator: SimulatorClient,
) -> None:
    world = untagged(simulator)
    claim(world, simulator.batches()[0]["id"], certain=False)
    assert submit(world)[0] == "done"
    assert [error.code for error in world.shard.errors] == ["submission_unclear"]
    assert len(simulator.batches()) == 1


@pytest.mark.of("anthropic")
def test_a_batch_of_another_size_is_not_the_shards(simulator: SimulatorClient) -> None:
    world = planned(simulator, provider="anthropic")
    start_another(world)
    world.create(requests(4), id="batch_" + "0" * 31 + "2")
    world.change_shard(lines=4)
    lose_the_answer(world, "before")
    assert submit(world)[0] == "submit"
    assert world.shard.looks == 1


def test_a_provider_that_names_a_batch_of_another_shard_is_not_believed(world: World) -> None:
    provider_of = world.provider_of

    def claimed(deployment: Deployment) -> Any:
        provider: Any = provider_of(deployment)
        start = provider.submit

        def submit_and_lose(*given: Any) -> str:
            started: str = start(*given)
            claim(world, started, certain=True)
            return started

        provider.submit = submit_and_lose
        return provider

    world.provider_of = claimed
    assert submit(world)[0] == "done"
    assert [error.code for error in world.shard.errors] == ["submission_unclear"]


# ---- Lines that others take over


def test_a_shard_whose_key_is_missing_is_collected_for_its_fallback(world: World) -> None:
    def broken(_: Deployment) -> Any:
        raise CredentialMissing("OPENAI_API_KEY is not known.")

    world.change_shard(fallbacks=[world.deployment("other")])
    world.provider_of = broken
    assert submit(world) == ("collect", 0)
    shard = world.shard
    assert (shard.state, shard.ending, shard.lease_until) == (ShardState.ENDED, Ending.FAILED, 0)


def test_lines_that_are_not_submitted_when_time_is_short_are_finished_directly(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    world = planned(simulator, provider=native.provider)
    world.change_batch(on_deadline="finish_direct")
    world.now = world.batch.expires_at - 7200
    assert submit(world) == ("collect", 0)
    assert world.shard.ending is Ending.EXPIRED
    assert simulator.calls() == []


@those(lambda lane: lane.cancels)
def test_nobody_waits_beyond_the_time_to_finish_directly(world: World) -> None:
    world.change_batch(on_deadline="finish_direct")
    world.simulator.behave({"kind": "status", "status": 429, "retry_after": 800})
    world.now = world.batch.expires_at - 7200 - 100
    assert submit(world) == ("submit", 100)


@those(lambda lane: lane.cancels)
def test_a_deployment_that_has_no_other_lane_is_submitted_however_late(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    world = planned(simulator, provider=native.provider, lane="native")
    world.change_batch(on_deadline="finish_direct")
    world.now = world.batch.expires_at - 7200
    assert submit(world)[0] == "poll"


# ---- What is submitted is paid, where nobody can stop it: its results have to come in time


@those(lambda lane: not lane.cancels)
@pytest.mark.parametrize("on_deadline", ["expire", "finish_direct"])
def test_what_cannot_be_stopped_is_called_where_its_window_is_too_long_now(
    simulator: SimulatorClient, native: NativeLane, on_deadline: str
) -> None:
    world = planned(simulator, provider=native.provider)
    world.change_batch(on_deadline=on_deadline)
    world.now = NOW + WAITED_FOR + 1
    assert submit(world) == ("collect", 0)
    assert world.shard.ending is Ending.EXPIRED
    assert simulator.calls() == []


@those(lambda lane: not lane.cancels)
def test_what_cannot_be_stopped_nor_called_is_not_submitted_too_late(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    world = planned(simulator, provider=native.provider, lane="native")
    world.now = NOW + WAITED_FOR + 1
    assert submit(world)[0] == "done"
    assert [error.code for error in world.shard.errors] == ["window_too_short"]
    assert simulator.calls() == []


@those(lambda lane: not lane.cancels)
def test_what_cannot_be_stopped_is_submitted_while_its_results_are_waited_for(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    world = planned(simulator, provider=native.provider)
    world.now = NOW + WAITED_FOR
    assert submit(world)[0] == "poll"


# ---- Death and competition at every call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_submission_killed_at_any_call_is_paid_once(
    simulator: SimulatorClient, native: NativeLane, after: bool
) -> None:
    for number in range(1, _MOST_CALLS):
        simulator.reset()
        world = planned(simulator, provider=native.provider)
        world.fate.calls, world.fate.kill_at, world.fate.after = 0, number, after
        with suppress(Killed):
            submit(world)
        is_beyond, world.fate.kill_at = world.fate.calls < number, 0
        for _ in range(10):
            if submit(world)[0] == "poll":
                break
            world.now += LEASE_SECONDS // 2
        assert world.shard.state is ShardState.SUBMITTED
        assert len(world.provider_batches()) == 1
        if is_beyond:
            assert number > 8
            return
