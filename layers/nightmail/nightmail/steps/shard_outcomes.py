"""The outcomes of a batch's lines in the order of the input; one chunk a run in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from nightmail.lines import cut_lines
from nightmail.outcome import number_of
from nightmail.shard import Shard
from nightmail.stores.objects import ObjectStore

_Row = tuple[bytes, int, int]  # the row, its run, the offset behind it


class Position(BaseModel):
    """How far a shard's streams have been read: bytes of its index, and of each run."""

    index: int = 0
    runs: list[int] = Field(default_factory=list)


@dataclass(frozen=True)
class Answered:
    """A line and its outcome's row; `row` is None for a line that is owed one."""

    number: int
    shard: int
    custom_id: bytes
    row: bytes | None
    behind: Position


def in_order(
    shards: Sequence[Shard], positions: Sequence[Position], objects: ObjectStore
) -> Iterator[Answered]:
    """Every line of `shards` from `positions` on; `shard` is the place in the sequence.

    A shard's lines stand behind those of the shard before it, so one is open at a time.
    """
    for place, (shard, position) in enumerate(zip(shards, positions, strict=True)):
        yield from _lines_of(shard, place, position, objects)


def _lines_of(
    shard: Shard, place: int, position: Position, objects: ObjectStore
) -> Iterator[Answered]:
    offsets = position.runs or [0] * len(shard.runs)
    rows = heapq.merge(
        *(_rows_of(shard, run, offset, objects) for run, offset in enumerate(offsets))
    )
    row = next(rows, None)
    for entry in cut_lines(objects.chunks(shard.index, position.index), position.index):
        number_text, custom_id = (entry.content or b"").split(b" ", 1)
        number, found = int(number_text), None
        while row and number_of(row[0]) <= number:
            if number_of(row[0]) == number and found is None:
                found = row[0]
            offsets = [*offsets[: row[1]], row[2], *offsets[row[1] + 1 :]]
            row = next(rows, None)
        behind = Position.model_construct(index=entry.end, runs=offsets)
        yield Answered(number, place, custom_id, found, behind)


def _rows_of(shard: Shard, run: int, start: int, objects: ObjectStore) -> Iterator[_Row]:
    for raw in cut_lines(objects.chunks([shard.runs[run]], start), start):
        yield (raw.content or b"") + b"\n", run, raw.end
