"""Shards and chunks of a batch, and the lease that lets one worker at a time act on one.

A track is what one child of a map runs: a part that was planned, and its successors in later rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import LeaseLost, NotFound, WriteConflict
from nightmail.part import Part, Track
from nightmail.shard import Shard
from nightmail.stores.table import ABSENT, Condition, Item, Key, Put, Table

PartT = TypeVar("PartT", bound=Part)
_KINDS: dict[str, type[Part]] = {kind.kind: kind for kind in (Shard, Chunk)}


class PartStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of_track(self, batch_id: str, track: Track, number: int) -> list[Part]:
        """The part that was planned with this number and its successors, in order of their rounds."""
        return list(self._query(batch_id, _place(track, number)))

    def current(self, batch_id: str, track: Track, number: int) -> Part:
        """The part that the track has come to: the first that is not over, else the last.

        Raises NotFound.
        """
        parts = self.of_track(batch_id, track, number)
        if not parts:
            raise NotFound(f"Batch {batch_id} has no {track} {number}.")
        return next((part for part in parts if not part.is_over), parts[-1])

    def of_batch(self, batch: Batch) -> list[Part]:
        """Those of its plan and their successors; a plan that died may have left more behind."""
        planned: dict[Track, int] = {"shard": batch.shards, "chunk": batch.chunks}
        return [
            part
            for track, parts in planned.items()
            if parts
            for part in self._query(batch.id, _prefix(track))
            if part.number <= parts
        ]

    def plan(self, part: Part) -> None:
        """Write a new one; one that somebody holds already is left as it is."""
        free = Condition("attribute_not_exists(#pk) OR #fence = :none", {"none": 0})
        try:
            self._table.put(_key(part), _item(part), free)
        except WriteConflict:
            return

    def take_lease(self, batch_id: str, track: Track, number: int, now: int, seconds: int) -> Part:
        """The current part, held for `seconds`, which the holder must not outlast without a `save`.

        One that is over is not held. Raises LeaseLost while another holds it, and NotFound.
        """
        part = self.current(batch_id, track, number)
        return part if part.is_over else self.hold(part, now, seconds)

    def hold(self, part: PartT, now: int, seconds: int) -> PartT:
        """The part as it was read, held for `seconds`. Raises LeaseLost while another holds it."""
        if part.lease_until > now:
            raise LeaseLost(
                f"The {part.track} {part.number} of {part.batch_id} is being worked on;"
                " try again later."
            )
        return self.save(part.changed(lease_until=now + seconds))

    def again(self, part: PartT) -> PartT:
        """The same part as it is now. Raises NotFound."""
        item = self._table.get(_key(part))
        if item is None:
            raise NotFound(f"Batch {part.batch_id} has no {part.track} {part.number}.")
        return type(part).model_validate(item)

    def release(self, part: PartT) -> PartT:
        """Write it and give the lease back. Raises LeaseLost."""
        return self.save(part.changed(lease_until=0))

    def save(self, part: PartT) -> PartT:
        """Write a changed one; answers it with its new fencing number.

        Raises LeaseLost where somebody else wrote since it was read.
        """
        return self.pass_on(part, [])

    def pass_on(self, part: PartT, successors: Sequence[Part]) -> PartT:
        """Write a changed one together with those that take over some of its lines: all or none.

        Raises LeaseLost where somebody else wrote since it was read.
        """
        saved = part.changed(fence=part.fence + 1)
        own = Put(_key(saved), _item(saved), Condition("#fence = :fence", {"fence": part.fence}))
        try:
            if successors:
                new = [Put(_key(each), _item(each), ABSENT) for each in successors]
                self._table.put_together([own, *new])
            else:
                self._table.put(own.key, own.item, own.condition)
        except WriteConflict as error:
            raise LeaseLost(
                f"The {part.track} {part.number} of {part.batch_id} has passed to another worker."
            ) from error
        return saved

    def _query(self, batch_id: str, prefix: str) -> Iterator[Part]:
        return map(_part, self._table.query(_partition(batch_id), prefix))


def _part(item: Item) -> Part:
    return _KINDS[item["kind"]].model_validate(item)


def _item(part: Part) -> Item:
    return {"kind": part.kind, **part.model_dump(mode="json")}


def _key(part: Part) -> Key:
    suffix = f".{part.round:02d}" if part.round else ""
    return Key(_partition(part.batch_id), _place(part.track, part.number) + suffix)


def _partition(batch_id: str) -> str:
    return f"BATCH#{batch_id}"


def _place(track: Track, number: int) -> str:
    return f"{_prefix(track)}{number:06d}"


def _prefix(track: Track) -> str:
    return f"{track.upper()}#"
