"""The emulator with the miniature template on it: what the fidelity tests look at."""

from __future__ import annotations

import json
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx

from local import processes
from local.build import ROOT
from local.deploy import Stack, deploy
from local.emulator import Emulator, start

TEMPLATE = Path(__file__).parent / "fixtures" / "miniature" / "template.yaml"
WAIT_SCALE = 0.02
KEY = {"authorization": "Bearer sk-mini"}

T = TypeVar("T")


@dataclass(frozen=True)
class Miniature:
    emulator: Emulator
    session: boto3.Session
    stack: Stack
    http: httpx.Client

    def name(self, function: str) -> str:
        return self.stack.resources[f"{function}Function"]

    def invoke(self, function: str, event: Any) -> Any:
        """The function's answer, or its error as Lambda tells it."""
        answer = self.session.client("lambda").invoke(
            FunctionName=self.name(function), Payload=json.dumps(event)
        )
        return json.loads(answer["Payload"].read())

    def start(self, event: dict[str, Any], machine: str = "MachineArn") -> str:
        arn = self.stack.outputs[machine]
        states = self.session.client("stepfunctions")
        name = uuid.uuid4().hex
        started = states.start_execution(stateMachineArn=arn, name=name, input=json.dumps(event))
        return started["executionArn"]

    def describe(self, execution: str) -> dict[str, Any]:
        return dict(self.session.client("stepfunctions").describe_execution(executionArn=execution))

    def finish(self, execution: str) -> dict[str, Any]:
        """How the execution ended."""
        await_(lambda: self.describe(execution)["status"] != "RUNNING")
        return self.describe(execution)

    def map_runs(self, execution: str) -> list[dict[str, Any]]:
        states = self.session.client("stepfunctions")
        runs = states.list_map_runs(executionArn=execution)["mapRuns"]
        return [dict(states.describe_map_run(mapRunArn=run["mapRunArn"])) for run in runs]

    def times(self, batch: str, step: str, number: int) -> int:
        """How often a step has been at a place, as it counted itself."""
        table = self.session.resource("dynamodb").Table(self.stack.outputs["TableName"])
        item = table.get_item(Key={"pk": "count", "sk": f"{batch}/{step}/{number}"}).get("Item", {})
        return int(str(item.get("times", 0)))

    def seen(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind that the witness wrote down."""
        table = self.session.resource("dynamodb").Table(self.stack.outputs["TableName"])
        items = table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": "seen", ":sk": kind},
        )["Items"]
        return [json.loads(str(item["event"])) for item in items]

    def dead_letters(self) -> list[dict[str, Any]]:
        messages = self.session.client("sqs").receive_message(
            QueueUrl=self.stack.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


def await_(condition: Callable[[], T], seconds: float = 30) -> T:
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)
    return value


def deploy_miniature(state: Path) -> Miniature:
    cache = ROOT / ".local" / "build"
    emulator = start(state, cache, processes.free_port(), WAIT_SCALE)
    try:
        session = emulator.session()
        architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
        stack = deploy(TEMPLATE, "mini", session, {"Architecture": architecture}, cache)
        emulator.lead_to(stack.outputs["ApiId"])
    except BaseException:
        emulator.process.stop()
        raise
    http = httpx.Client(base_url=emulator.front_url, headers=KEY, timeout=60, trust_env=False)
    return Miniature(emulator, session, stack, http)
