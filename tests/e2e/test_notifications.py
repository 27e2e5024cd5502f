"""What happens is told: by events, by the topic of final batches, and by what is gone from the bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Json, after, open_desk, to_jsonl
from tests.patience import wait_until


class Mailbox:
    """An SQS queue of the test's own, and all that has come to it so far."""

    def __init__(self, cloud: RunningCloud, name: str) -> None:
        self._client = cloud.session.client("sqs")
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]
        self._messages: list[Json] = []
        self.arn: str = self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        self._let_in("events.amazonaws.com", "sns.amazonaws.com")

    def _let_in(self, *services: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": services},
            "Action": "sqs:SendMessage",
            "Resource": self.arn,
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self._client.set_queue_attributes(
            QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)}
        )

    def messages(self) -> list[Json]:
        found = self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in found.get("Messages", []):
            self._messages.append(json.loads(message["Body"]))
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._messages


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


@pytest.fixture
def events(cloud: RunningCloud, desk: Desk) -> Mailbox:
    """Gets every event of the tenant."""
    mailbox = Mailbox(cloud, f"events-of-{desk.tenant.owner}")
    bus = cloud.session.client("events")
    name = f"tell-{desk.tenant.owner}"
    pattern = {"source": ["nightmail"], "detail": {"owner": [desk.tenant.owner]}}
    bus.put_rule(Name=name, EventPattern=json.dumps(pattern))
    bus.put_targets(Rule=name, Targets=[{"Id": "mailbox", "Arn": mailbox.arn}])
    return mailbox


@pytest.fixture
def final_batches(cloud: RunningCloud, desk: Desk) -> Mailbox:
    """Gets what the stack's topic tells."""
    mailbox = Mailbox(cloud, f"final-batches-for-{desk.tenant.owner}")
    cloud.session.client("sns").subscribe(
        TopicArn=cloud.outputs["FinalBatchesTopicArn"], Protocol="sqs", Endpoint=mailbox.arn
    )
    return mailbox


def moves(events: Mailbox) -> list[tuple[str | None, str]]:
    """The distinct status changes that were told, in the order in which they came."""
    told = [
        event["detail"]
        for event in events.messages()
        if event["detail-type"] == "Batch Status Changed"
    ]
    return list(dict.fromkeys((detail["previous_status"], detail["status"]) for detail in told))


def steps(*statuses: str) -> set[tuple[str | None, str]]:
    return set(zip([None, *statuses], statuses, strict=False))


def test_every_status_change_is_an_event_and_the_topic_tells_the_final_one(
    desk: Desk, events: Mailbox, final_batches: Mailbox
) -> None:
    end = desk.follow(desk.start(desk.questions(3), metadata={"customer": "7"}))[-1]

    life = steps("validating", "in_progress", "finalizing", "completed")
    wait_until(lambda: set(moves(events)) == life)
    detail = next(
        event["detail"]
        for event in events.messages()
        if event["detail"].get("status") == "completed"
    )
    assert detail["id"] == end.id
    assert detail["output_file_id"] == end.output_file_id
    assert detail["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert detail["metadata"] == {"customer": "7"}
    wait_until(lambda: told(final_batches, end.id))
    assert {each["status"] for each in told(final_batches, end.id)} == {"completed"}


def told(mailbox: Mailbox, batch_id: str) -> list[Any]:
    contents = [json.loads(message["Message"]) for message in mailbox.messages()]
    return [content for content in contents if content["id"] == batch_id]


def test_a_failed_and_a_cancelled_batch_are_told_too(desk: Desk, events: Mailbox) -> None:
    desk.follow(desk.start(b"{no json"))
    wait_until(lambda: set(moves(events)) == steps("validating", "failed"))

    desk.simulator.behave(desk.fault("stuck_batch", name=desk.tenant.owner))
    batch = desk.start(desk.questions(2))
    desk.simulator.until_waiting(desk.tenant.owner)
    desk.client.batches.cancel(batch.id)

    cancelled = steps("validating", "in_progress", "cancelling", "cancelled")
    wait_until(lambda: set(moves(events)) >= cancelled)


@pytest.mark.parametrize(
    "moment",
    ["start", "end", after("events PutEvents")],
    ids=["at its start", "at its end", "told"],
)
def test_no_change_stays_untold_when_its_teller_dies(
    desk: Desk, events: Mailbox, moment: str | Json
) -> None:
    desk.kill("publish_changes", moment, times=2)

    desk.follow(desk.start(desk.questions(1)))

    life = steps("validating", "in_progress", "finalizing", "completed")
    wait_until(lambda: set(moves(events)) == life)
    wait_until(lambda: desk.killed() == ["publish_changes", "publish_changes"])


@pytest.mark.parametrize("kills", [0, 1])
def test_a_deleted_files_objects_are_erased(desk: Desk, cloud: RunningCloud, kills: int) -> None:
    bucket = cloud.session.client("s3")

    def keys() -> list[str]:
        prefix = f"files/{desk.tenant.owner}/"
        found = bucket.list_objects_v2(Bucket=cloud.outputs["BucketName"], Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in found.get("Contents", [])]

    kept, removed = (desk.upload(to_jsonl(desk.questions(1))) for _ in range(2))
    assert sorted(keys()) == sorted([kept, removed])

    if kills:
        desk.kill("erase_file", times=kills)

    desk.client.files.delete(removed)

    wait_until(lambda: keys() == [kept])
    assert desk.killed() == ["erase_file"] * kills
