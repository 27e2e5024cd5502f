"""Batches of an owner. A batch is written whole, on the condition that nobody wrote before."""

from __future__ import annotations

from collections.abc import Iterator
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


def _key(owner: str, batch_id: str) -> Key:
    return Key(f"OWNER#{owner}", f"{PREFIX}{batch_id}")


def _idempotency_key(owner: str, key: str) -> Key:
    return Key(f"IDEMPOTENCY#{owner}#{key}", "BATCH")


class BatchStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, owner: str, batch_id: str) -> Batch:
        """Raises NotFound for an unknown id and for another owner's alike."""
        batch = self.find(owner, batch_id)
        if batch is None:
            raise NotFound(f"No batch found with id '{batch_id}'.", param="batch_id")
        return batch

    def find(self, owner: str, batch_id: str) -> Batch | None:
        """The batch, or None where the owner has no such."""
        item = self._table.get(_key(owner, batch_id))
        return Batch.model_validate(item) if item else None

    def create(self, batch: Batch) -> None:
        """Raises WriteConflict where the id is taken."""
        self._table.put(_key(batch.owner, batch.id), batch.model_dump(mode="json"), ABSENT)

    def create_once(self, batch: Batch, key: str, request_digest: str, now: int) -> None:
        """Create it with its Idempotency-Key, both or neither.

        Raises WriteConflict where the key was used in the last 24 hours: `remembered` tells for what.
        """
        memory = Idempotency(
            batch_id=batch.id,
            request_digest=request_digest,
            delete_at=now + IDEMPOTENCY_SECONDS,
        )
        unused = Condition("attribute_not_exists(#pk) OR #delete_at <= :now", {"now": now})
        self._table.put_together(
            [
                Put(_key(batch.owner, batch.id), batch.model_dump(mode="json"), ABSENT),
                Put(_idempotency_key(batch.owner, key), memory.model_dump(mode="json"), unused),
            ]
        )

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
        return (Batch.model_validate(item) for item in items)
