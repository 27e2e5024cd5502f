"""What was planned becomes known: the parts' items, and what the maps read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from nightmail.chunk import Chunk, ChunkState
from nightmail.part import Ending, Part
from nightmail.shard import Shard
from nightmail.steps.part_writer import Draft, Way
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import chunk_items_key, shard_items_key


def in_order(drafts: Iterable[Draft]) -> list[Draft]:
    """As they are numbered: shards, then chunks, each by their first lines."""
    return sorted(drafts, key=lambda draft: (draft.lane != "native", draft.first))


def shards_among(drafts: Iterable[Draft]) -> int:
    """How many of them are shards."""
    return sum(draft.lane == "native" for draft in drafts)


def part_of(draft: Draft, number: int, way: Way, batch_id: str) -> Part:
    """The part with this number; refused lines are one that is over already."""
    if draft.lane == "native":
        return Shard(number=number, input=draft.content, **_fields(draft, way, batch_id))
    chunk = Chunk(number=number, **_fields(draft, way, batch_id))
    if draft.lane == "refused":
        return chunk.changed(
            state=ChunkState.DONE,
            ending=Ending.COMPLETED,
            runs=draft.content,
            log=draft.content,
            failed=draft.lines,
        )
    return chunk


def write_items(batch_id: str, drafts: Sequence[Draft], objects: ObjectStore) -> None:
    """What the maps read: a line for each part that has work to do. The drafts are `in_order`.

    The parts of the ways take turns: one that is slow leaves room for the others.
    """
    shards = shards_among(drafts)
    objects.put(shard_items_key(batch_id), _items("shard", drafts[:shards]))
    objects.put(chunk_items_key(batch_id), _items("chunk", drafts[shards:]))


def _fields(draft: Draft, way: Way, batch_id: str) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "endpoint": way.endpoint,
        "deployment": way.deployment,
        "fallbacks": way.fallbacks,
        "lines": draft.lines,
        "first": draft.first,
        "index": draft.index,
    }


def _items(name: str, drafts: Sequence[Draft]) -> bytes:
    return b"".join(orjson.dumps({name: number}) + b"\n" for number in _by_turns(drafts))


def _by_turns(drafts: Sequence[Draft]) -> list[int]:
    """The numbers of the first part of each way, of the second of each, and so on."""
    before: Counter[int] = Counter()
    turns: list[tuple[int, int]] = []
    for number, draft in enumerate(drafts, 1):
        if draft.lane != "refused":
            turns.append((before[draft.way], number))
            before[draft.way] += 1
    return [number for _, number in sorted(turns)]
