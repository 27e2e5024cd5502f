"""The one batch of a test's stores, and its parts."""

from __future__ import annotations

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.part import Part
from nightmail.shard import Shard
from nightmail.stores.stores import Stores

from tests.unit.samples import BATCH_ID


class OnlyBatch:
    stores: Stores

    @property
    def batch(self) -> Batch:
        return self.stores.batches.get("alice", BATCH_ID)

    @property
    def parts(self) -> list[Part]:
        """Those of the plan and their successors, track by track."""
        return self.stores.parts.of_batch(self.batch)

    @property
    def shards(self) -> list[Shard]:
        return [part for part in self.parts if isinstance(part, Shard)]

    @property
    def chunks(self) -> list[Chunk]:
        return [part for part in self.parts if isinstance(part, Chunk)]
