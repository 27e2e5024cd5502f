"""Shards and chunks of a batch, and the lease that lets one worker at a time act on one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import LeaseLost, NotFound, WriteConflict
from nightmail.part import Part
from nightmail.shard import Shard
from nightmail.stores.table import Condition, Key, Table

PartT = TypeVar("PartT", bound=Part)


class PartStore(Generic[PartT]):
    """Parts of one kind."""

    def __init__(self, table: Table, kind: type[PartT]) -> None:
        self._table = table
        self._kind = kind
        self._name = kind.__name__.lower()

    def get(self, batch_id: str, number: int) -> PartT:
        """Raises NotFound."""
        item = self._table.get(self._key(batch_id, number))
        if item is None:
            raise NotFound(f"Batch {batch_id} has no {self._name} {number}.")
        return self._kind.model_validate(item)

    def plan(self, part: PartT) -> None:
        """Write a new one; one that somebody holds already is left as it is."""
        free = Condition("attribute_not_exists(#pk) OR #fence = :none", {"none": 0})
        try:
            self._put(part, free)
        except WriteConflict:
            return

    def list(self, batch_id: str) -> Iterator[PartT]:
        """In order of their numbers."""
        items = self._table.query(f"BATCH#{batch_id}", self._prefix)
        return (self._kind.model_validate(item) for item in items)

    def take_lease(self, batch_id: str, number: int, now: int, seconds: int) -> PartT:
        """The part, held for `seconds`, which the holder must not outlast without a `save`.

        Raises LeaseLost while another holds it.
        """
        part = self.get(batch_id, number)
        if part.lease_until > now:
            raise LeaseLost(
                f"The {self._name} {number} of {batch_id} is being worked on; try again later."
            )
        return self.save(part.changed(lease_until=now + seconds))

    def release(self, part: PartT) -> PartT:
        """Write it and give the lease back. Raises LeaseLost."""
        return self.save(part.changed(lease_until=0))

    def save(self, part: PartT) -> PartT:
        """Write a changed one; answers it with its new fencing number.

        Raises LeaseLost where somebody else wrote since it was read.
        """
        saved = part.changed(fence=part.fence + 1)
        try:
            self._put(saved, Condition("#fence = :fence", {"fence": part.fence}))
        except WriteConflict as error:
            raise LeaseLost(
                f"The {self._name} {part.number} of {part.batch_id} has passed to another worker."
            ) from error
        return saved

    def _put(self, part: PartT, condition: Condition) -> None:
        key = self._key(part.batch_id, part.number)
        self._table.put(key, part.model_dump(mode="json"), condition)

    def _key(self, batch_id: str, number: int) -> Key:
        return Key(f"BATCH#{batch_id}", f"{self._prefix}{number:06d}")

    @property
    def _prefix(self) -> str:
        return f"{self._name.upper()}#"


@dataclass(frozen=True)
class Parts:
    """All parts of a batch, of both kinds."""

    shards: PartStore[Shard]
    chunks: PartStore[Chunk]

    @classmethod
    def of_table(cls, table: Table) -> Parts:
        return cls(PartStore(table, Shard), PartStore(table, Chunk))

    def of_batch(self, batch: Batch) -> list[Part]:
        """Those of its plan; a plan that died may have left more behind."""
        shards = islice(self.shards.list(batch.id), batch.shards) if batch.shards else ()
        chunks = islice(self.chunks.list(batch.id), batch.chunks) if batch.chunks else ()
        return [*shards, *chunks]
