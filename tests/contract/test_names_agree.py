"""One name through everything: state, folder, resource, log group, substitution, step and test; and the
state machine says nothing that the code does not know.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from nightmail import errors
from nightmail.payloads import BatchTask, ChunkTask, Next, PlanResult, ShardTask

from tests import template
from tests.template import LAMBDA, ROOT, Json

# Step Functions Developer Guide, "Handling errors in Step Functions workflows", and what Lambda reports.
AWS_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.ALL",
    "States.TaskFailed",
    "States.Timeout",
}
ENDS = {"Succeed", "Fail"}


@cache
def machine() -> Json:
    definition: Json = json.loads((ROOT / "statemachine" / "batch.asl.json").read_text())
    return definition


def levels(definition: Json) -> Iterator[Json]:
    """The machine, and those within its branches and maps."""
    yield definition
    for state in definition["States"].values():
        within = [state["ItemProcessor"]] if state["Type"] == "Map" else state.get("Branches", [])
        for each in within:
            yield from levels(each)


def maps() -> dict[str, Json]:
    """Every Map by its state's name."""
    return {
        name: state
        for level in levels(machine())
        for name, state in level["States"].items()
        if state["Type"] == "Map"
    }


def tasks() -> dict[str, Json]:
    """Every Task by its state's name."""
    return {
        name: state
        for level in levels(machine())
        for name, state in level["States"].items()
        if state["Type"] == "Task"
    }


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def targets(state: Json) -> set[str]:
    """The states that may follow."""
    following = {state.get("Next"), state.get("Default")}
    following |= {each["Next"] for each in state.get("Choices", []) + state.get("Catch", [])}
    return {name for name in following if name}


def reachable(level: Json, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = {start}
    while ahead:
        seen |= ahead
        ahead = set().union(*(targets(level["States"][name]) for name in ahead)) - seen
    return seen


def leaves(error: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for each in error.__subclasses__():
        yield from leaves(each) if each.__subclasses__() else [each]


def every_error_name() -> set[str]:
    return {
        name
        for state in [*tasks().values(), *machine()["States"].values()]
        for rule in state.get("Retry", []) + state.get("Catch", [])
        for name in rule["ErrorEquals"]
    }


def most_seconds(function: str) -> int:
    """The longest time-out that a function can be given."""
    timeout: Any = template.resources(LAMBDA)[function].get("Timeout", 3)
    if isinstance(timeout, dict):
        timeout = template.written()["Parameters"][timeout["Ref"]]["MaxValue"]
    return int(timeout)


@pytest.mark.parametrize("state", tasks())
def test_a_states_name_leads_to_everything(state: str) -> None:
    name, function = snake(state), f"{state}Function"
    resources = template.written()["Resources"]
    substitutions = resources["BatchStateMachine"]["Properties"]["DefinitionSubstitutions"]

    assert tasks()[state]["Parameters"]["FunctionName"] == f"${{{function}Arn}}"
    assert substitutions[f"{function}Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert resources[function]["Properties"]["CodeUri"] == f"functions/{name}"
    assert resources[f"{state}LogGroup"]["Type"] == "AWS::Logs::LogGroup"
    assert callable(importlib.import_module(f"functions.{name}.handler").handler)
    assert callable(getattr(importlib.import_module(f"nightmail.steps.{name}"), name))
    assert (ROOT / f"tests/unit/test_{name}.py").is_file()


@pytest.mark.parametrize("state", tasks())
def test_a_task_waits_longer_than_its_function_may_run(state: str) -> None:
    assert tasks()[state]["TimeoutSeconds"] > most_seconds(f"{state}Function")


@pytest.mark.parametrize("state", tasks())
def test_a_task_tries_again_what_may_heal(state: str) -> None:
    retried = {name for rule in tasks()[state]["Retry"] for name in rule["ErrorEquals"]}
    healing = {leaf.__name__ for leaf in leaves(errors.StorageError) if leaf.retryable}

    assert retried - AWS_ERRORS == healing
    assert {"Lambda.TooManyRequestsException", "Runtime.ExitError", "Sandbox.Timedout"} < retried


@pytest.mark.parametrize("state", sorted(set(tasks()) - {"FailBatch"}))
def test_a_task_catches_everything_else(state: str) -> None:
    (catch,) = tasks()[state]["Catch"]

    assert catch["ErrorEquals"] == ["States.ALL"]
    assert catch["ResultPath"] == "$.error"


def test_every_error_is_a_leaf_or_awss_own() -> None:
    """Step Functions compares class names and knows no inheritance."""
    known = {leaf.__name__ for leaf in leaves(errors.GatewayError)}

    assert every_error_name() <= known | AWS_ERRORS


def test_every_substitution_is_used() -> None:
    machine_properties = template.written()["Resources"]["BatchStateMachine"]["Properties"]
    text = (ROOT / machine_properties["DefinitionUri"]).read_text()

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(
        machine_properties["DefinitionSubstitutions"]
    )


def test_it_is_written_in_jsonpath() -> None:
    assert machine().get("QueryLanguage", "JSONPath") == "JSONPath"
    assert "QueryLanguage" not in json.dumps(machine()["States"])
    assert "{%" not in json.dumps(machine())


def test_every_state_is_reached_and_every_path_ends() -> None:
    for level in levels(machine()):
        assert reachable(level, level["StartAt"]) == set(level["States"])
        for name, state in level["States"].items():
            assert bool(targets(state)) != (state["Type"] in ENDS), name


def test_every_failure_ends_in_fail_batch_and_a_failed_execution() -> None:
    """Never a green run for a red batch."""
    states = machine()["States"]
    for state in states.values():
        assert {rule["Next"] for rule in state.get("Catch", [])} <= {"FailBatch"}
        assert state.get("Default") in {None, "FailBatch", "BatchFailed"}
    after = reachable(machine(), "FailBatch")
    assert {states[name]["Type"] for name in after} & ENDS == {"Fail"}


@pytest.mark.parametrize("name", ["RunShards", "RunChunks"])
def test_no_child_fails_its_siblings(name: str) -> None:
    states = maps()[name]["ItemProcessor"]["States"]

    assert "Fail" not in {state["Type"] for state in states.values()}
    assert maps()[name]["ToleratedFailurePercentage"] == 100
    caught = {rule["Next"] for state in states.values() for rule in state.get("Catch", [])}
    assert {states[name]["Type"] for name in caught} == {"Succeed"}


def test_no_lane_fails_the_other() -> None:
    """What breaks in a branch ends it well; the parallel state itself has a way out all the same."""
    run_parts = machine()["States"]["RunParts"]
    for branch in run_parts["Branches"]:
        states = branch["States"]
        assert "Fail" not in {state["Type"] for state in states.values()}
        (run,) = (state for state in states.values() if state["Type"] == "Map")
        (catch,) = run["Catch"]
        assert catch["ErrorEquals"] == ["States.ALL"]
        assert states[catch["Next"]]["Type"] == "Succeed"
    assert [rule["Next"] for rule in run_parts["Catch"]] == ["FailBatch"]


def test_no_map_is_nested_in_a_map() -> None:
    for state in maps().values():
        assert len(list(levels(state["ItemProcessor"]))) == 1


def test_each_lane_runs_where_there_are_parts_for_it() -> None:
    choices = [
        state["Choices"]
        for branch in machine()["States"]["RunParts"]["Branches"]
        for state in branch["States"].values()
        if state["Type"] == "Choice"
    ]

    assert choices == [
        [{"Variable": "$.step.shards", "NumericGreaterThan": 0, "Next": "RunShards"}],
        [{"Variable": "$.step.chunks", "NumericGreaterThan": 0, "Next": "RunChunks"}],
    ]


def test_the_choices_know_the_words_that_steps_answer() -> None:
    words = {
        choice["StringEquals"]
        for level in levels(machine())
        for state in level["States"].values()
        for choice in state.get("Choices", [])
        if "StringEquals" in choice
    }

    assert words == {each.value for each in Next} - {Next.FAILED.value}


def test_payloads_are_the_packages_models() -> None:
    plan = machine()["States"]["PlanBatch"]

    tasks: dict[str, type[BatchTask]] = {"RunShards": ShardTask, "RunChunks": ChunkTask}
    for name, task in tasks.items():
        selected = {field.removesuffix(".$") for field in maps()[name]["ItemSelector"]}
        assert selected == set(task.model_fields)
    assert {name.removesuffix(".$") for name in plan["ResultSelector"]} == set(
        PlanResult.model_fields
    ) - {"v"}
    assert set(BatchTask.model_fields) == {"v", "owner", "batch_id"}


def test_each_map_has_its_own_concurrency() -> None:
    paths = {name: state["MaxConcurrencyPath"] for name, state in maps().items()}

    assert paths == {"RunShards": "$.step.shard_concurrency", "RunChunks": "$.step.map_concurrency"}


@pytest.mark.parametrize("function", template.resources(LAMBDA))
def test_a_functions_name_is_its_folders(function: str) -> None:
    folder = template.folder_of(function)

    assert snake(function.removesuffix("Function")) == folder
    assert [each.name for each in (ROOT / "functions" / folder).glob("*.*")] == ["handler.py"]
    assert f"{function.removesuffix('Function')}LogGroup" in template.written()["Resources"]


def test_every_folder_is_a_function() -> None:
    folders = {
        each.name for each in (ROOT / "functions").iterdir() if (each / "handler.py").exists()
    }

    assert folders == {template.folder_of(each) for each in template.resources(LAMBDA)}


@pytest.mark.parametrize("function", template.resources(LAMBDA))
def test_every_function_has_events_with_expected_answers(function: str) -> None:
    folder = template.folder_of(function)
    events = {each.name for each in (ROOT / "events").glob(f"{folder}.*.json")}
    given = {each for each in events if not each.endswith(".expected.json")}

    assert given
    assert {f"{each.removesuffix('.json')}.expected.json" for each in given} == events - given
