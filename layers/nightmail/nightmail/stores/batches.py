"""Batches of an owner. A batch is written whole, on the condition that nobody wrote before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import BaseModel

from nightmail.batch import Batch
from nightmail.errors import NotFound
from nightmail.stores.table import ABSENT, Condition, Key, Put, Table

IDEMPOTENCY_SECONDS = 24 * 3600
PREFIX = "BATCH#"


class Idempotency(BaseModel):
    """What an Idempotency-Key stands for: the batch it made, and a digest of its request."""

    v: Literal[1] = 1
    batch_id: str
    request_digest: str
    delete_at: int  # the table's TTL attribute


class Retry(BaseModel):
    """The one batch that runs the failed lines of another; it lies under that one."""

    v: Literal[1] = 1
    batch_id: str


def _unix_second() -> int:
    return int(time.time())


def _key(owner: str, batch_id: str) -> Key:
    return Key(f"OWNER#{owner}", f"{PREFIX}{batch_id}")


def _idempotency_key(owner: str, key: str) -> Key:
    return Key(f"IDEMPOTENCY#{owner}#{key}", "BATCH")


def _retry_key(batch_id: str) -> Key:
    return Key(f"BATCH#{batch_id}", "RETRY")


class BatchStore:
    """`clock` answers the Unix second: a dry run that is to be deleted by now is not there."""

    def __init__(self, table: Table, clock: Callable[[], int] = _unix_second) -> None:
        self._table = table
        self._clock = clock

    def get(self, owner: str, batch_id: str) -> Batch:
        """Raises NotFound for an unknown id and for another owner's alike."""
        batch = self.find(owner, batch_id)
        if batch is None:
            raise NotFound(f"No batch found with id '{batch_id}'.", param="batch_id")
        return batch

    def find(self, owner: str, batch_id: str) -> Batch | None:
        """The batch, or None where the owner has no such."""
        item = self._table.get(_key(owner, batch_id))
        batch = Batch.model_validate(item) if item else None
        return batch if batch and self._is_there(batch) else None

    def create(self, batch: Batch) -> None:
        """Raises WriteConflict where the id is taken, or another batch retries the same one."""
        self._table.put_together(_new(batch))

    def create_once(self, batch: Batch, key: str, request_digest: str, now: int) -> None:
        """Create it with its Idempotency-Key, both or neither.

        Raises WriteConflict as `create` does, and where the key was used in the last 24 hours:
        `remembered` tells for what.
        """
        memory = Idempotency(
            batch_id=batch.id,
            request_digest=request_digest,
            delete_at=now + IDEMPOTENCY_SECONDS,
        )
        unused = Condition("attribute_not_exists(#pk) OR #delete_at <= :now", {"now": now})
        remembered = Put(_idempotency_key(batch.owner, key), memory.model_dump(mode="json"), unused)
        self._table.put_together([*_new(batch), remembered])

    def remembered(self, owner: str, key: str, now: int) -> Idempotency | None:
        """What the key stands for, or None when it is unused or older than 24 hours."""
        item = self._table.get(_idempotency_key(owner, key))
        memory = Idempotency.model_validate(item) if item else None
        return memory if memory and memory.delete_at > now else None

    def save(self, batch: Batch) -> Batch:
        """Write a changed batch; answers it with its new version.

        Raises WriteConflict where somebody else wrote since it was read.
        """
        saved = batch.model_copy(update={"version": batch.version + 1})
        unchanged = Condition("#version = :version", {"version": batch.version})
        self._table.put(_key(batch.owner, batch.id), saved.model_dump(mode="json"), unchanged)
        return saved

    def list(self, owner: str, after: str | None = None) -> Iterator[Batch]:
        """Newest first; `after` is the id of the last batch of the page before."""
        items = self._table.query(
            f"OWNER#{owner}",
            PREFIX,
            after=f"{PREFIX}{after}" if after else None,
            newest_first=True,
            page=100,
        )
        return filter(self._is_there, map(Batch.model_validate, items))

    def retries(self, batch: Batch) -> Iterator[Batch]:
        """Its retry, the retry of that, and so on; dry runs are none."""
        found = self._retry(batch)
        while found:
            yield found
            found = self._retry(found)

    def latest_run(self, batch: Batch) -> Batch:
        """The batch itself, or where nothing of it was run the one whose failed lines it was to run."""
        before = self.find(batch.owner, batch.retry_of) if batch.retry_of else None
        return batch if batch.is_planned or before is None else self.latest_run(before)

    def _retry(self, batch: Batch) -> Batch | None:
        item = self._table.get(_retry_key(batch.id))
        return self.find(batch.owner, Retry.model_validate(item).batch_id) if item else None

    def _is_there(self, batch: Batch) -> bool:
        """DynamoDB's TTL may delete days late, so readers compare the time as well."""
        return batch.delete_at is None or batch.delete_at > self._clock()


def _new(batch: Batch) -> list[Put]:
    """The batch is written with the sign by which its parent finds it: both or neither."""
    puts = [Put(_key(batch.owner, batch.id), batch.model_dump(mode="json"), ABSENT)]
    if batch.retry_of and not batch.dry_run:
        retry = Retry(batch_id=batch.id).model_dump(mode="json")
        puts.append(Put(_retry_key(batch.retry_of), retry, ABSENT))
    return puts
