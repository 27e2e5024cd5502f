"""SubmitShard: what pays is done once, whoever dies, doubts or competes."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import CredentialMissing, StorageUnavailable
from nightmail.part import Ending
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.shard import ShardState

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json, Killed
from tests.unit.samples import NOW
from tests.unit.world import LEASE_SECONDS, World, requests

CREATE = {"method": "POST", "path": "/batches"}
DAY = 86_400


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    """A batch that is planned."""
    world = World(simulator)
    world.create(requests(3))
    world.step("PlanBatch")
    return world


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
    world.stores.parts.shards.take_lease(world.batch.id, 1, world.now, LEASE_SECONDS)
    world.now += LEASE_SECONDS - 1
    assert submit(world) == ("submit", 30)
    assert world.simulator.calls() == []


def test_a_lease_that_ran_out_is_taken_over(world: World) -> None:
    world.stores.parts.shards.take_lease(world.batch.id, 1, world.now, LEASE_SECONDS)
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


def test_a_batch_that_was_started_for_an_abandoned_shard_is_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The execution was aborted, and FailBatch stopped the shard while we submitted it."""
    start = OpenAIProvider.submit

    def start_too_late(self: OpenAIProvider, *given: Any) -> str:
        started = start(self, *given)
        world.change_shard(state=ShardState.STOPPED, lease_until=0)
        return started

    monkeypatch.setattr(OpenAIProvider, "submit", start_too_late)
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
    refusal = {"kind": "status", "status": status, "retry_after": 77, "match": CREATE}
    world.simulator.behave(refusal)
    assert submit(world) == ("submit", 77)
    shard = world.shard
    assert (shard.state, shard.attempts, shard.lease_until) == (ShardState.PLANNED, 1, 0)
    world.simulator.behave()
    assert submit(world)[0] == "poll"
    assert len(world.simulator.calls(method="POST", path="/files")) == 1


def test_tries_are_made_less_and_less_often(world: World) -> None:
    world.simulator.behave({"kind": "status", "status": 429})
    waits = [submit(world)[1] for _ in range(12)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_that_waiting_does_not_heal_stops_the_shard(world: World, status: int) -> None:
    world.simulator.behave({"kind": "status", "status": status, "message": "No.", "match": CREATE})
    assert submit(world)[0] == "done"
    shard = world.shard
    assert (shard.state, shard.ending, shard.failed) == (ShardState.STOPPED, Ending.FAILED, 3)
    assert [error.message for error in shard.errors] == [f"openai answered {status}: No."]


def test_a_missing_credential_stops_the_shard_by_name(world: World) -> None:
    def broken(_: Deployment) -> Any:
        raise CredentialMissing("OPENAI_API_KEY is not known.")

    world.provider_of = broken
    assert submit(world)[0] == "done"
    assert world.shard.errors[0].message == "OPENAI_API_KEY is not known."


def test_a_garbled_upload_is_tried_again_but_not_for_ever(world: World) -> None:
    garbled = {"kind": "status", "status": 200, "body": "<html>", "match": {"path": "/files"}}
    world.simulator.behave(garbled)
    steps = [submit(world)[0] for _ in range(7)]
    assert steps == ["submit"] * 6 + ["done"]
    assert world.shard.ending is Ending.FAILED


# ---- Unclear answers


def lose_the_answer(world: World, when: str, *more: Json) -> None:
    world.simulator.behave({"kind": "drop", "when": when, "times": 1, "match": CREATE}, *more)
    assert submit(world) == ("submit", 40)
    shard = world.shard
    assert (shard.state, shard.lease_until) == (ShardState.SUBMITTING, 0)


def test_a_batch_whose_answer_was_lost_is_found_and_adopted(world: World) -> None:
    lose_the_answer(world, "after")
    assert submit(world)[0] == "poll"
    (batch,) = world.provider_batches()
    assert world.shard.provider_batch_id == batch["id"]


def test_a_batch_that_is_not_found_is_looked_for_twice_and_then_submitted(world: World) -> None:
    lose_the_answer(world, "before")
    assert submit(world)[0] == "submit"
    assert world.simulator.batches() == []
    assert submit(world)[0] == "poll"
    assert len(world.provider_batches()) == 1
    assert len(world.simulator.calls(method="GET", path="/batches")) == 2


def test_a_look_that_failed_is_no_look(world: World) -> None:
    away = {"kind": "status", "status": 500, "times": 3, "match": {"method": "GET"}}
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


def test_a_list_that_stays_out_of_reach_ends_with_the_window(world: World) -> None:
    lose_the_answer(world, "before", {"kind": "status", "status": 500, "match": {"method": "GET"}})
    world.now += DAY
    assert submit(world)[0] == "submit"
    world.now += 900
    assert submit(world)[0] == "done"
    assert world.shard.ending is Ending.EXPIRED


# ---- Death and competition at every call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 10))
def test_a_submission_killed_at_any_call_is_paid_once(
    world: World, number: int, after: bool
) -> None:
    world.fate.calls, world.fate.kill_at, world.fate.after = 0, number, after
    with pytest.raises(Killed):
        submit(world)
    for _ in range(10):
        if submit(world)[0] == "poll":
            break
        world.now += LEASE_SECONDS // 2
    assert world.shard.state is ShardState.SUBMITTED
    assert len(world.provider_batches()) == 1


def test_a_submission_makes_as_many_calls_as_are_killed_above(world: World) -> None:
    world.fate.calls = 0
    submit(world)
    assert world.fate.calls == 9
