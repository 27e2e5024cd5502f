"""The stream of moto's table, as Lambda hands its records to a function."""

from __future__ import annotations

from typing import Any

import boto3

from tests.unit.conftest import ENVIRONMENT

_TABLE = ENVIRONMENT["TABLE_NAME"]


class TableStream:
    """Tells what is written from now on."""

    def __init__(self) -> None:
        boto3.client("dynamodb").update_table(
            TableName=_TABLE,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

    def records(self) -> list[dict[str, Any]]:
        """All of them since the beginning."""
        streams: Any = boto3.client("dynamodbstreams")
        (stream,) = streams.list_streams(TableName=_TABLE)["Streams"]
        arn = stream["StreamArn"]
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        records: list[dict[str, Any]] = streams.get_records(
            ShardIterator=iterator["ShardIterator"]
        )["Records"]
        return records
