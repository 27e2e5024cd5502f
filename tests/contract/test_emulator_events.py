"""The emulator delivers events as AWS does, and tells when it gives up."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from tests.contract.miniature import Miniature, await_


def put_note(miniature: Miniature, name: str, expires: int | None = None) -> str:
    table = miniature.session.resource("dynamodb").Table(miniature.stack.outputs["TableName"])
    key = f"note/{name}/{uuid.uuid4().hex}"
    table.put_item(Item={"pk": "note", "sk": key} | ({"expires": expires} if expires else {}))
    return key


def put_event(miniature: Miniature, detail: dict[str, Any]) -> None:
    entry = {"Source": "mini", "DetailType": "note", "Detail": json.dumps(detail)}
    miniature.session.client("events").put_events(Entries=[entry])  # type: ignore[list-item]


def test_a_change_of_the_table_reaches_the_function_whose_filter_matches(
    miniature: Miniature,
) -> None:
    key = put_note(miniature, "plain")

    [record] = await_(lambda: miniature.seen(f"stream/{key}"))

    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["sk"]["S"] == key
    assert miniature.seen("stream/seen") == []


def test_a_record_reported_as_failed_is_tried_again_and_then_told_to_the_failure_destination(
    miniature: Miniature,
) -> None:
    key = put_note(miniature, "poisoned")

    def told() -> list[dict[str, Any]]:
        return [each for each in miniature.dead_letters() if "DDBStreamBatchInfo" in each]

    [letter] = await_(told)
    assert letter["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert len(miniature.seen(f"stream/{key}")) == 2
    after = put_note(miniature, "after")
    await_(lambda: miniature.seen(f"stream/{after}"))


def test_a_record_that_breaks_the_function_is_parted_from_its_neighbours(
    miniature: Miniature,
) -> None:
    before = put_note(miniature, "before")
    put_note(miniature, "crashing")
    after = put_note(miniature, "after")

    await_(lambda: miniature.seen(f"stream/{before}"))
    await_(lambda: miniature.seen(f"stream/{after}"))


def test_an_expired_item_is_removed_by_the_service_and_the_stream_tells(
    miniature: Miniature,
) -> None:
    key = put_note(miniature, "expiring", expires=int(time.time()) - 1)

    def removal() -> list[dict[str, Any]]:
        return [each for each in miniature.seen(f"stream/{key}") if each["eventName"] == "REMOVE"]

    [record] = await_(removal)
    assert record["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }
    assert record["dynamodb"]["OldImage"]["sk"]["S"] == key


def test_an_object_under_the_inbox_is_an_event(miniature: Miniature) -> None:
    bucket = miniature.stack.outputs["BucketName"]
    key = f"inbox/{uuid.uuid4().hex} ü.jsonl"

    miniature.session.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")

    def told() -> list[dict[str, Any]]:
        events = [event["detail"] for event in miniature.seen("aws.s3")]
        return [event for event in events if event["object"]["key"] == key]

    [detail] = await_(told)
    assert detail["bucket"]["name"] == bucket
    assert detail["object"]["size"] == 2
    assert detail["object"]["etag"]


def test_an_event_whose_function_fails_is_tried_again_and_then_a_dead_letter(
    miniature: Miniature,
) -> None:
    note = uuid.uuid4().hex

    put_event(miniature, {"poisoned": True, "note": note})

    def told() -> list[dict[str, Any]]:
        letters = [each for each in miniature.dead_letters() if "requestPayload" in each]
        return [each for each in letters if each["requestPayload"]["detail"].get("note") == note]

    [letter] = await_(told)
    assert letter["responsePayload"]["errorType"] == "RuntimeError"
    tries = [event for event in miniature.seen("mini/") if event["detail"].get("note") == note]
    assert len(tries) == 2


def test_a_rule_hands_its_event_to_a_topic(miniature: Miniature) -> None:
    sqs, sns = miniature.session.client("sqs"), miniature.session.client("sns")
    queue = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    topic = miniature.stack.outputs["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    note = uuid.uuid4().hex

    put_event(miniature, {"note": note})

    [message] = await_(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(json.loads(message["Body"])["Message"])["detail"] == {"note": note}


def test_a_generated_secret_is_json_with_the_generated_key(miniature: Miniature) -> None:
    secret = miniature.session.client("secretsmanager").get_secret_value(
        SecretId=miniature.stack.outputs["SecretName"]
    )["SecretString"]

    assert json.loads(secret)["keys"] == {}
    assert len(json.loads(secret)["master_key"]) == 32
