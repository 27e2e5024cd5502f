"""A written batch is started, once, whatever else the stream brings."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from nightmail import wiring
from nightmail.batch import BatchStatus
from nightmail.errors import StorageUnavailable
from nightmail.payloads import BatchTask
from nightmail.steps.start_batch import start_batches
from nightmail.stores.batches import BatchStore
from nightmail.stores.executions import Executions
from nightmail.stores.parts import PartStore

from functions.start_batch.handler import handler
from tests.unit.gateway import LambdaContext
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_shard
from tests.unit.stream import TableStream

OTHER_ID = "batch_" + "f" * 32


@pytest.fixture
def machine(aws: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ARN of a state machine that the functions know."""
    arn = boto3.client("stepfunctions").create_state_machine(
        name="batch",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/batch",
    )["stateMachineArn"]
    monkeypatch.setenv("STATE_MACHINE_ARN", arn)
    return arn


@pytest.fixture
def stream(aws: None) -> TableStream:
    return TableStream()


def started(machine: str) -> dict[str, str]:
    """Executions by name, with their inputs."""
    client = boto3.client("stepfunctions")
    found = client.list_executions(stateMachineArn=machine)["executions"]
    return {
        execution["name"]: client.describe_execution(executionArn=execution["executionArn"])[
            "input"
        ]
        for execution in found
    }


def handle(records: list[dict[str, Any]]) -> list[str]:
    failures = handler({"Records": records}, LambdaContext())["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def test_a_new_batch_starts_the_execution_of_its_name(
    machine: str, stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch())
    assert handle(stream.records()) == []
    assert started(machine) == {BATCH_ID: f'{{"v":1,"owner":"alice","batch_id":"{BATCH_ID}"}}'}


def test_a_record_that_comes_again_starts_nothing_more(
    machine: str, stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch())
    assert handle(stream.records() * 2) == []
    assert handle(stream.records()) == []
    assert list(started(machine)) == [BATCH_ID]


def test_an_execution_that_ran_before_is_no_failure(
    machine: str, stream: TableStream, batches: BatchStore
) -> None:
    boto3.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=BATCH_ID, input="{}"
    )
    batches.create(sample_batch())
    assert handle(stream.records()) == []
    assert started(machine) == {BATCH_ID: "{}"}


def test_what_is_no_new_batch_starts_nothing(
    machine: str, stream: TableStream, batches: BatchStore, parts: PartStore
) -> None:
    batches.create_once(sample_batch(), "key", "digest", NOW)
    batches.save(batches.get("alice", BATCH_ID).move_to(BatchStatus.IN_PROGRESS, NOW))
    parts.plan(sample_shard())
    inserted = [record for record in stream.records() if record["eventName"] == "INSERT"]
    assert len(inserted) == 3
    assert handle(stream.records()) == []
    assert list(started(machine)) == [BATCH_ID]


def test_a_batch_that_this_version_cannot_read_is_started_all_the_same(
    machine: str, stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch())
    records = stream.records()
    records[0]["dynamodb"]["NewImage"] = {"v": {"N": "99"}}
    assert handle(records) == []
    assert list(started(machine)) == [BATCH_ID]


class Refusing(Executions):
    """Takes no execution of one batch."""

    def __init__(self, refused: str) -> None:
        self._refused = refused
        self.started: list[str] = []

    def start(self, task: BatchTask) -> None:
        if task.batch_id == self._refused:
            raise StorageUnavailable("throttled")
        self.started.append(task.batch_id)


def test_only_what_was_not_started_comes_again(stream: TableStream, batches: BatchStore) -> None:
    batches.create(sample_batch())
    batches.create(sample_batch(id=OTHER_ID))
    records = stream.records()
    executions = Refusing(BATCH_ID)
    assert start_batches(records, executions) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert executions.started == [OTHER_ID]


@pytest.mark.parametrize(
    "poison",
    [
        {},
        {"eventName": "INSERT", "dynamodb": {}},
        {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"Z": "?"}}, "SequenceNumber": "1"}},
    ],
)
def test_an_unreadable_record_holds_up_no_other(
    poison: dict[str, Any], stream: TableStream, batches: BatchStore
) -> None:
    batches.create(sample_batch())
    executions = Refusing("nothing")
    assert start_batches([poison, *stream.records()], executions) == []
    assert executions.started == [BATCH_ID]


def test_a_state_machine_that_does_not_answer_is_tried_again(
    aws: None, monkeypatch: pytest.MonkeyPatch, stream: TableStream, batches: BatchStore
) -> None:
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    monkeypatch.setenv("STATE_MACHINE_ARN", gone)
    wiring.settings.cache_clear()
    batches.create(sample_batch())
    (record,) = stream.records()
    assert handle([record]) == [record["dynamodb"]["SequenceNumber"]]
