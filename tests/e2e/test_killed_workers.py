"""Processes that die at the worst moment: nothing is lost, and nothing is paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import openai
import pytest

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import (
    CHAT,
    Desk,
    Journey,
    Json,
    after,
    assert_promises,
    before,
    open_desk,
    open_desks,
    side_by_side,
    to_jsonl,
)
from tests.patience import wait_until

LINES = 12


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def executions(desk: Desk, batch_id: str) -> list[str]:
    """The names of the batch's executions; a map's children are none."""
    states = desk.cloud.session.client("stepfunctions")
    arn = desk.cloud.outputs["StateMachineArn"]
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=arn)
    return [
        each["name"] for page in pages for each in page["executions"] if each["name"] == batch_id
    ]


def die_while_submitting(desk: Desk) -> Journey:
    requests = desk.questions(LINES)
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)
    desk.kill("submit_shard", "now")
    wait_until(lambda: desk.tenant.owner not in desk.simulator.waiting())
    return desk.finish(requests, batch)


def test_a_worker_that_dies_while_it_submits_is_found_out_and_nobody_pays_twice(
    cloud: RunningCloud,
) -> None:
    """The provider had taken the batch, or it had not: the worker that follows can tell."""
    with open_desks(cloud, 2) as (taken, not_taken):
        cloud.simulator.behave(
            *(
                desk.fault("hold", "POST", "/batches", when=moment, times=1, name=desk.tenant.owner)
                for desk, moment in ((taken, "after"), (not_taken, "before"))
            )
        )
        journeys = side_by_side(
            partial(die_while_submitting, taken), partial(die_while_submitting, not_taken)
        )

        for desk, journey in zip((taken, not_taken), journeys, strict=True):
            assert desk.killed() == ["submit_shard"]
            assert journey.end.status == "completed"
            assert_promises(journey, cloud.simulator)
            assert len(desk.provider_batches(journey.end.id)) == 1
            assert len(desk.calls(method="POST", path="/files")) == 1
        assert len(taken.calls(method="POST", path="/batches")) == 1
        assert len(not_taken.calls(method="POST", path="/batches")) == 2


@pytest.mark.parametrize(
    "moment",
    ["start", "end", before("states StartExecution"), after("states StartExecution")],
    ids=["at its start", "at its end", "before its call", "after its call"],
)
def test_an_acknowledged_batch_whose_start_failed_is_started_again(
    desk: Desk, moment: str | Json
) -> None:
    desk.kill("start_batch", moment, times=2)
    requests = desk.questions(LINES)

    journey = desk.run(requests)

    wait_until(lambda: desk.killed() == ["start_batch", "start_batch"])
    assert journey.end.status == "completed"
    assert_promises(journey, desk.simulator)
    assert executions(desk, journey.end.id) == [journey.end.id]


def test_a_batch_that_was_written_runs_even_if_its_create_was_never_answered(desk: Desk) -> None:
    """A 5xx is no refusal: whoever gets one finds in the list what became of it."""
    input_file_id = desk.upload(to_jsonl(desk.questions(1)))
    desk.kill("batches", after("dynamodb PutItem"))

    with pytest.raises(openai.InternalServerError):
        desk.client.with_options(max_retries=0).batches.create(
            input_file_id=input_file_id, endpoint=CHAT, completion_window="24h"
        )

    (batch,) = desk.client.batches.list()
    assert desk.follow(batch)[-1].status == "completed"


@pytest.mark.parametrize(
    "moment",
    ["start", "end", before("dynamodb TransactWriteItems"), after("dynamodb TransactWriteItems")],
    ids=["at its start", "at its end", "before its write", "after its write"],
)
def test_with_an_idempotency_key_a_create_that_died_makes_one_batch(
    desk: Desk, moment: str | Json
) -> None:
    input_file_id = desk.upload(to_jsonl(desk.questions(1)))
    desk.kill("batches", moment)

    batch = desk.client.batches.create(
        input_file_id=input_file_id,
        endpoint=CHAT,
        completion_window="24h",
        extra_headers={"Idempotency-Key": "the one"},
    )

    assert desk.killed() == ["batches"]
    assert [each.id for each in desk.client.batches.list()] == [batch.id]
    assert desk.follow(batch)[-1].status == "completed"


def never_get_through(desk: Desk, state: str) -> Journey:
    desk.kill(state, times=100)
    requests = desk.questions(LINES)
    return desk.finish(requests, desk.start(requests), pause_seconds=0.5)


def test_a_state_that_never_gets_through_fails_the_batch(cloud: RunningCloud) -> None:
    unplanned, unsent = "plan_batch", "submit_shard"
    states = [unplanned, unsent, "poll_shard", "collect_shard", "finalize_batch"]
    with open_desks(cloud, len(states)) as desks:
        pairs = list(zip(desks, states, strict=True))
        journeys = side_by_side(*(partial(never_get_through, *pair) for pair in pairs))

        for (desk, state), journey in zip(pairs, journeys, strict=True):
            assert journey.end.status == "failed", state
            assert journey.end.errors
            assert journey.end.errors.data
            submissions = desk.calls(method="POST", path="/batches")
            assert len(submissions) == (0 if state in {unplanned, unsent} else 1), state
            if state == unplanned:
                assert journey.output + journey.errors == []
            else:
                assert_promises(journey, cloud.simulator)


def test_an_execution_that_is_stopped_by_hand_ends_its_batch(desk: Desk) -> None:
    desk.simulator.behave(desk.fault("stuck_batch", after_lines=5, name=desk.tenant.owner))
    requests = desk.questions(LINES)
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)
    wait_until(lambda: desk.calls(method="GET", path="/batches/*"))

    arn = desk.cloud.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    desk.cloud.session.client("stepfunctions").stop_execution(executionArn=f"{arn}:{batch.id}")
    journey = desk.finish(requests, batch)

    assert journey.end.status == "failed"
    assert_promises(journey, desk.simulator)
    assert len(journey.errors) == LINES
    assert [each["status"] for each in desk.provider_batches(batch.id)] == ["cancelled"]
