"""The stores in memory behave as moto's do, in all that the steps ask of them."""

from __future__ import annotations

from collections.abc import Callable

import boto3
from nightmail.errors import GatewayError
from nightmail.quota import Quota
from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import Claim, ClaimStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.table import Table

from tests.unit.conftest import ENVIRONMENT
from tests.unit.memory import MemoryDynamo, MemoryS3
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_chunk, sample_shard


def told(function: Callable[[], object]) -> object:
    """What comes of a call: its answer, or the class of its error."""
    try:
        return function()
    except GatewayError as error:
        return type(error)


def use_table(table: Table) -> list[object]:
    """What the stores answer, in a row of calls that meets every condition both ways."""
    batches, parts, quotas = BatchStore(table), PartStore(table), QuotaStore(table)
    claims = ClaimStore(table)
    batch, shard = sample_batch(metadata={"a": "🦉"}), sample_shard()
    successor = sample_chunk(track="shard", round=1)
    adopted = Claim(holder="one", certain=False, delete_at=NOW)
    certain = Claim(holder="two", certain=True, delete_at=NOW)
    return [
        told(lambda: batches.find("alice", BATCH_ID)),
        told(lambda: batches.create(batch)),
        told(lambda: batches.create(batch)),
        told(lambda: batches.get("alice", BATCH_ID)),
        told(lambda: batches.get("bob", BATCH_ID)),
        told(lambda: batches.save(batch)),
        told(lambda: batches.save(batch)),
        told(lambda: parts.plan(sample_shard(number=2))),
        told(lambda: parts.plan(shard)),
        told(lambda: parts.take_lease(BATCH_ID, "shard", 1, NOW, 9)),
        told(lambda: parts.take_lease(BATCH_ID, "shard", 1, NOW, 9)),
        told(lambda: parts.plan(shard.model_copy(update={"lines": 99}))),
        told(lambda: parts.save(shard)),
        told(lambda: parts.pass_on(shard, [successor])),
        told(lambda: parts.pass_on(parts.again(shard), [successor])),
        told(lambda: parts.pass_on(parts.again(shard), [successor])),
        told(lambda: parts.of_track(BATCH_ID, "shard", 1)),
        told(lambda: parts.of_batch(sample_batch(shards=2))),
        told(lambda: parts.of_track("batch_unknown", "shard", 1)),
        told(lambda: claims.find("p", "b")),
        told(lambda: claims.take("p", "b", adopted)),
        told(lambda: claims.take("p", "b", adopted.model_copy(update={"holder": "other"}))),
        told(lambda: claims.take("p", "b", adopted)),
        told(lambda: claims.take("p", "b", certain)),
        told(lambda: claims.take("p", "b", certain.model_copy(update={"holder": "other"}))),
        told(lambda: claims.find("p", "b")),
        told(lambda: quotas.save(Quota(key="k", requests_until=7))),
        told(lambda: quotas.save(Quota(key="k"))),
        told(lambda: quotas.save(quotas.get("k"))),
        told(lambda: quotas.get("k")),
    ]


def use_bucket(objects: ObjectStore) -> list[object]:
    first, second = objects.put("a/1", b"one"), objects.put("a/2", b"two")
    writer = objects.writer("a/3")
    writer.write(b"x" * 6_000_000 + b"y" * 6_000_000)
    resting = writer.suspend()
    return [
        told(lambda: objects.get("a/1")),
        told(lambda: objects.get("a/unknown")),
        told(lambda: objects.put_if_absent("a/1", b"other")),
        told(lambda: objects.put_if_absent("a/4", b"four")),
        told(lambda: b"".join(objects.chunks([first, second], 2))),
        told(lambda: list(objects.pieces([first, second], 1, 5))),
        told(lambda: list(objects.pieces([first, second], 3, 99))),
        told(lambda: list(objects.pieces([first, second], 4, 4))),
        told(lambda: list(objects.segments("a/"))),
        told(lambda: list(objects.segments("b/"))),
        told(lambda: objects.delete(["a/2", "a/unknown"])),
        told(lambda: objects.get("a/2")),
        told(lambda: objects.resume(resting).complete()),
        told(lambda: len(objects.get("a/3"))),
        told(lambda: objects.resume(resting).complete()),
        told(lambda: objects.resume(resting).write(b"z" * 9_000_000)),
    ]


def test_the_table_is_the_same_as_motos(aws: None) -> None:
    real = Table(boto3.client("dynamodb"), ENVIRONMENT["TABLE_NAME"])
    fake = Table(MemoryDynamo(), "table")  # type: ignore[arg-type]
    assert use_table(fake) == use_table(real)


def test_the_bucket_is_the_same_as_motos(aws: None) -> None:
    real = ObjectStore(boto3.client("s3"), ENVIRONMENT["BUCKET_NAME"])
    fake = ObjectStore(MemoryS3(), "bucket")  # type: ignore[arg-type]
    assert use_bucket(fake) == use_bucket(real)
