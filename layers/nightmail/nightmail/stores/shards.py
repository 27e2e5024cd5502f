"""Shards of a batch, and the lease that lets one worker at a time act on one."""

from __future__ import annotations

from collections.abc import Iterator

from nightmail.errors import LeaseLost, NotFound, WriteConflict
from nightmail.shard import Shard
from nightmail.stores.table import Condition, Key, Table

_PREFIX = "SHARD#"


def _key(batch_id: str, number: int) -> Key:
    return Key(f"BATCH#{batch_id}", f"{_PREFIX}{number:06d}")


class ShardStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, batch_id: str, number: int) -> Shard:
        """Raises NotFound."""
        item = self._table.get(_key(batch_id, number))
        if item is None:
            raise NotFound(f"Batch {batch_id} has no shard {number}.")
        return Shard.model_validate(item)

    def plan(self, shard: Shard) -> None:
        """Write a new shard; one that somebody holds already is left as it is."""
        free = Condition("attribute_not_exists(#pk) OR #fence = :none", {"none": 0})
        try:
            self._table.put(_key(shard.batch_id, shard.number), shard.model_dump(mode="json"), free)
        except WriteConflict:
            return

    def list(self, batch_id: str) -> Iterator[Shard]:
        """In order of their numbers."""
        items = self._table.query(f"BATCH#{batch_id}", _PREFIX)
        return (Shard.model_validate(item) for item in items)

    def take_lease(self, batch_id: str, number: int, now: int, seconds: int) -> Shard:
        """The shard, held for `seconds`, which must outlast the holder's own time-out.

        Raises LeaseLost while another holds it.
        """
        shard = self.get(batch_id, number)
        if shard.lease_until > now:
            raise LeaseLost(f"Shard {number} of {batch_id} is being worked on; try again later.")
        return self.save(shard.model_copy(update={"lease_until": now + seconds}))

    def release(self, shard: Shard) -> Shard:
        """Write it and give the lease back. Raises LeaseLost."""
        return self.save(shard.model_copy(update={"lease_until": 0}))

    def save(self, shard: Shard) -> Shard:
        """Write a changed shard; answers it with its new fencing number.

        Raises LeaseLost where somebody else wrote since it was read.
        """
        saved = shard.model_copy(update={"fence": shard.fence + 1})
        unchanged = Condition("#fence = :fence", {"fence": shard.fence})
        key = _key(shard.batch_id, shard.number)
        try:
            self._table.put(key, saved.model_dump(mode="json"), unchanged)
        except WriteConflict as error:
            raise LeaseLost(
                f"Shard {shard.number} of {shard.batch_id} has passed to another worker."
            ) from error
        return saved
