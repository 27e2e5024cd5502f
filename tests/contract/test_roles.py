"""Every role of the template allows what its owner does, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests import template
from tests.template import LAMBDA, ROOT, Json, written

# Their ARNs are known to nobody before the call (AWS Service Authorization Reference).
WITHOUT_ARN = re.compile(
    r"logs:(\w+LogDelivery|ListLogDeliveries|PutResourcePolicy|Describe(ResourcePolicies|LogGroups))"
    r"|bedrock:ListModelInvocationJobs"
    r"|xray:(PutTraceSegments|PutTelemetryRecords|GetSampling(Rules|Targets))"
)
MANAGED = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(policies: list[Json]) -> Iterator[Json]:
    """The statements of the policies written in a role."""
    for policy in policies:
        yield from as_list(policy["PolicyDocument"]["Statement"])


def granted() -> Iterator[tuple[str, str, Any]]:
    """Role, action and resource of everything that some role allows."""
    for role, properties in template.translated_resources("AWS::IAM::Role").items():
        inline = [each for each in properties.get("Policies", []) if "PolicyDocument" in each]
        for statement in statements(inline):
            assert statement["Effect"] == "Allow"
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield role, action, template.resolved(resource)


def test_no_role_allows_a_wildcard_of_actions() -> None:
    assert [action for _, action, _ in granted() if "*" in action] == []


def test_only_what_has_no_arn_is_allowed_everywhere() -> None:
    everywhere = {action for _, action, resource in granted() if resource == "*"}

    assert everywhere
    assert [action for action in everywhere if not WITHOUT_ARN.fullmatch(action)] == []


def test_who_may_stop_a_job_may_look_for_it_too() -> None:
    """One of an unclear submission is found by the list, and stopped nowhere else."""
    stops, lists = (
        {role for role, granted_action, _ in granted() if granted_action == f"bedrock:{action}"}
        for action in ("StopModelInvocationJob", "ListModelInvocationJobs")
    )

    assert len(stops) >= len(("SubmitShard", "PollShard", "FinalizeBatch", "FailBatch"))
    assert stops <= lists


def test_no_role_takes_a_managed_policy_but_logs_and_traces() -> None:
    for properties in template.translated_resources("AWS::IAM::Role").values():
        plain = {each for each in properties["ManagedPolicyArns"] if isinstance(each, str)}
        assert plain <= MANAGED


def test_no_role_reaches_every_owners_objects_but_those_of_its_prefixes() -> None:
    """A grant on objects names a prefix of the bucket."""
    for _, action, resource in granted():
        if action in {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}:
            assert re.search(
                r":::\w+/(config|files|uploads|work|inbox|outbox|answers)/.*\*$", resource
            )


@pytest.mark.parametrize("function", template.resources(LAMBDA))
def test_the_key_policy_is_there_when_there_is_a_key(function: str) -> None:
    policies = written()["Resources"][function]["Properties"]["Policies"]

    assert policies[0]["Fn::If"][:2] == ["HasKmsKey", {"Ref": "UseKmsKeyPolicy"}]


def machine_calls() -> Iterator[tuple[str, str]]:
    """Action and resource of every call that the state machine makes."""
    properties = written()["Resources"]["BatchStateMachine"]["Properties"]
    substitutions = {
        name: template.resolved(value)
        for name, value in properties["DefinitionSubstitutions"].items()
    }
    text = (ROOT / properties["DefinitionUri"]).read_text()
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    for function in re.findall(r'"FunctionName": "([^"]+)"', text):
        yield "lambda:InvokeFunction", function
    for bucket in re.findall(r'"Bucket": "([^"]+)"', text):
        yield "s3:GetObject", f"arn:aws:s3:::{bucket}/work/batch_1/shards.jsonl"
    machine = template.resolved({"Ref": "BatchStateMachine"})
    execution = machine.replace(":stateMachine:", ":execution:")
    yield "states:StartExecution", machine
    for run in ("RunShards", "RunChunks"):
        yield "states:DescribeExecution", f"{execution}/{run}:1"
        yield "states:StopExecution", f"{execution}/{run}:1"


@pytest.mark.parametrize("call", sorted(set(machine_calls())))
def test_the_state_machines_role_allows_the_call(call: tuple[str, str]) -> None:
    role = [grant for grant in granted() if grant[0] == "BatchStateMachineRole"]

    assert [grant for grant in role if grant[1] == call[0] and fnmatchcase(call[1], str(grant[2]))]


def test_the_state_machines_role_invokes_no_other_function() -> None:
    allowed = {
        resource
        for role, action, resource in granted()
        if (role, action) == ("BatchStateMachineRole", "lambda:InvokeFunction")
    }

    assert allowed == {call[1] for call in machine_calls() if call[0] == "lambda:InvokeFunction"}


@pytest.mark.parametrize(
    "function",
    ["PlanBatchFunction", "RunChunkFunction", "FinishShardFunction", "JoinFileFunction"],
)
def test_a_step_that_begins_again_may_forget_how_far_it_was(function: str) -> None:
    deletes = [
        str(resource)
        for role, action, resource in granted()
        if role == f"{function}Role" and action == "s3:DeleteObject"
    ]

    assert any("/work/" in resource for resource in deletes)
