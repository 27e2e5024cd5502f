"""The emulator's Step Functions does what Nightmail's state machine stands on."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.contract.miniature import Miniature, await_


def a_plan(shards: int = 0, chunks: int = 0, concurrency: int = 2) -> dict[str, object]:
    batch = uuid.uuid4().hex
    return {
        "do": "plan",
        "batch": batch,
        "shards": shards,
        "chunks": chunks,
        "concurrency": concurrency,
    }


def test_two_distributed_maps_side_by_side_read_their_items_from_jsonl(
    miniature: Miniature,
) -> None:
    plan = a_plan(shards=3, chunks=4)

    ended = miniature.finish(execution := miniature.start(plan))

    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == plan | {"end": "finished"}
    counts = sorted(
        (run["itemCounts"]["total"], run["itemCounts"]["succeeded"], run["itemCounts"]["failed"])
        for run in miniature.map_runs(execution)
    )
    assert counts == [(3, 3, 0), (4, 3, 1)]


def test_a_child_goes_round_as_long_as_its_step_says_more(miniature: Miniature) -> None:
    plan = a_plan(chunks=1)

    miniature.finish(miniature.start(plan))

    assert miniature.times(str(plan["batch"]), "run", 0) == 3


def test_a_raised_class_is_retried_by_its_name(miniature: Miniature) -> None:
    plan = a_plan(shards=1)

    miniature.finish(miniature.start(plan))

    assert miniature.times(str(plan["batch"]), "submit", 0) == 2


def test_a_map_runs_as_many_children_at_a_time_as_its_path_says(miniature: Miniature) -> None:
    execution = miniature.start(a_plan(shards=2, concurrency=1))

    miniature.finish(execution)

    assert [run["maxConcurrency"] for run in miniature.map_runs(execution)] == [1]


def test_a_map_without_items_is_skipped(miniature: Miniature) -> None:
    execution = miniature.start(a_plan())

    assert miniature.finish(execution)["status"] == "SUCCEEDED"
    assert miniature.map_runs(execution) == []


def test_a_child_killed_in_the_middle_is_tried_again_by_its_error_name(
    miniature: Miniature,
) -> None:
    plan = a_plan(chunks=1)
    after_update = {"call": "dynamodb UpdateItem", "moment": "after"}
    miniature.emulator.kill(miniature.name("Step"), after_update)

    execution = miniature.start(plan)
    ended = miniature.finish(execution)

    assert len(miniature.emulator.kills()["done"]) == 1
    assert ended["status"] == "SUCCEEDED"
    assert miniature.map_runs(execution)[0]["itemCounts"]["succeeded"] == 1
    assert miniature.times(str(plan["batch"]), "run", 0) == 3


def test_stopping_an_execution_stops_its_children(miniature: Miniature) -> None:
    plan = a_plan(shards=200, concurrency=1)
    execution = miniature.start(plan)
    await_(lambda: miniature.times(str(plan["batch"]), "submit", 0))

    miniature.session.client("stepfunctions").stop_execution(executionArn=execution)

    def at_rest() -> bool:
        counts = miniature.map_runs(execution)[0]["itemCounts"]
        return (counts["running"], counts["pending"]) == (0, 0)

    await_(at_rest)
    assert miniature.map_runs(execution)[0]["itemCounts"]["succeeded"] < 200
    assert miniature.describe(execution)["status"] == "ABORTED"


def test_the_name_of_a_raised_class_reaches_the_catcher_with_its_stack(
    miniature: Miniature,
) -> None:
    ended = miniature.finish(miniature.start({"do": "fail"}))

    caught = json.loads(ended["output"])["caught"]
    cause = json.loads(caught["Cause"])
    assert caught["Error"] == cause["errorType"] == "ShardBusy"
    assert "in fail" in cause["stackTrace"][-1]


def test_a_killed_function_is_a_runtime_exit_error(miniature: Miniature) -> None:
    miniature.emulator.kill(miniature.name("Step"), "start")

    ended = miniature.finish(miniature.start({"do": "poll", "polls": 0}))

    assert json.loads(ended["output"])["anything"]["Error"] == "Runtime.ExitError"


def test_a_result_over_256_kb_is_refused_and_states_all_does_not_catch_that(
    miniature: Miniature,
) -> None:
    ended = miniature.finish(miniature.start({"do": "large"}))

    output = json.loads(ended["output"])
    assert output["caught"]["Error"] == "States.DataLimitExceeded"
    assert "anything" not in output


def test_an_input_over_256_kb_is_refused(miniature: Miniature) -> None:
    with pytest.raises(ClientError, match="262144"):
        miniature.start({"do": "poll", "text": "x" * 270_000})


def test_a_path_that_leads_nowhere_breaks_the_execution(miniature: Miniature) -> None:
    ended = miniature.finish(miniature.start({"do": "absent"}))

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "$.not.there" in ended["cause"]


def test_a_machine_may_only_do_what_its_role_says(miniature: Miniature) -> None:
    ended = miniature.finish(miniature.start({"do": "forbidden"}))

    assert ended["error"] == "Lambda.AWSLambdaException"
    assert "not authorized to perform: lambda:InvokeFunction" in ended["cause"]


def test_starting_the_same_execution_twice_answers_the_running_one(miniature: Miniature) -> None:
    states = miniature.session.client("stepfunctions")
    arn, name = miniature.stack.outputs["SlowMachineArn"], uuid.uuid4().hex

    first = states.start_execution(stateMachineArn=arn, name=name, input='{"a": 1}')
    second = states.start_execution(stateMachineArn=arn, name=name, input='{"a": 1}')

    assert second["executionArn"] == first["executionArn"]
    assert second["startDate"] == first["startDate"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=arn, name=name, input='{"a": 2}')
    states.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=arn, name=name, input='{"a": 1}')


def test_an_execution_times_out_and_an_event_tells(miniature: Miniature) -> None:
    execution = miniature.start({}, machine="SlowMachineArn")

    assert miniature.finish(execution)["status"] == "TIMED_OUT"

    def told() -> list[str]:
        events = [event["detail"] for event in miniature.seen("aws.states")]
        return [event["status"] for event in events if event["executionArn"] == execution]

    assert await_(told) == ["TIMED_OUT"]
