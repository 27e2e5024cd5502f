"""What the state machine calls, its role allows: AWS refuses at run time what nobody has granted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import RunningCloud


def calls(value: Any) -> Iterator[tuple[str, str]]:
    """Action and resource of every call that a definition makes."""
    if isinstance(value, list):
        for each in value:
            yield from calls(each)
    if isinstance(value, dict):
        parameters = value.get("Parameters") or {}
        resource = str(value.get("Resource"))
        if resource.endswith(":lambda:invoke"):
            yield "lambda:InvokeFunction", parameters["FunctionName"]
        if resource.endswith(":s3:getObject"):
            yield "s3:GetObject", f"arn:aws:s3:::{parameters['Bucket']}/work/batch_1/shards.jsonl"
        for each in value.values():
            yield from calls(each)


@pytest.fixture(scope="module")
def machine(cloud: RunningCloud) -> dict[str, Any]:
    states = cloud.session.client("stepfunctions")
    arn = cloud.outputs["StateMachineArn"]
    return dict(states.describe_state_machine(stateMachineArn=arn))


def decision(cloud: RunningCloud, role: str, action: str, resource: str) -> str:
    answer = cloud.session.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
    )
    return answer["EvaluationResults"][0]["EvalDecision"]


def test_the_role_allows_every_call_of_the_definition(
    cloud: RunningCloud, machine: dict[str, Any]
) -> None:
    made = set(calls(json.loads(machine["definition"])))

    assert {action for action, _ in made} == {"lambda:InvokeFunction", "s3:GetObject"}
    refused = [call for call in made if decision(cloud, machine["roleArn"], *call) != "allowed"]
    assert refused == []


def test_the_role_allows_what_a_distributed_map_needs(
    cloud: RunningCloud, machine: dict[str, Any]
) -> None:
    arn, role = machine["stateMachineArn"], machine["roleArn"]
    child = arn.replace(":stateMachine:", ":execution:") + "/RunShards:child"

    assert decision(cloud, role, "states:StartExecution", arn) == "allowed"
    assert decision(cloud, role, "states:DescribeExecution", child) == "allowed"
    assert decision(cloud, role, "states:StopExecution", child) == "allowed"


def test_the_role_allows_no_other_function_and_no_other_object(
    cloud: RunningCloud, machine: dict[str, Any]
) -> None:
    role, bucket = machine["roleArn"], cloud.outputs["BucketName"]
    authorizer = "arn:aws:lambda:us-east-1:000000000000:function:nightmail-authorizer"

    assert decision(cloud, role, "lambda:InvokeFunction", authorizer) != "allowed"
    assert decision(cloud, role, "s3:GetObject", f"arn:aws:s3:::{bucket}/files/x") != "allowed"
