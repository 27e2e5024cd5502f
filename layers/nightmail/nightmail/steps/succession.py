"""Writes the parts that take over lines of a shard, and the index of the lines that stay.

Nothing of it counts before the shard and its successors are written together; a run that dies leaves
objects that nobody names.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import orjson

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import InvalidRequest, NotInBatches
from nightmail.file import Segment, StoredFile
from nightmail.line_ids import line_id
from nightmail.line_index import IndexRow, to_index_row
from nightmail.lines import Line
from nightmail.part import Part
from nightmail.providers.base import FormatOf
from nightmail.shard import Shard
from nightmail.steps.input_lines import OwedLine, index_of, read_lines
from nightmail.steps.part_writer import Draft, PartWriter
from nightmail.steps.passing_on import Destination
from nightmail.steps.spools import Spool, Spools
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import work_folder

STAYS = 0


@dataclass
class _Group:
    """Lines whose index is being written: those that stay, or those of one chunk."""

    index: Spool
    first: int = 0
    lines: int = 0

    def add(self, row: IndexRow) -> None:
        self.first = self.first or row.number
        self.lines += 1
        self.index.write(to_index_row(row))


@dataclass
class Succession:
    """What came of it. `goes` has a byte for each line of the shard, in order: the place of its
    destination from 1 on, or `STAYS`.
    """

    goes: bytearray
    index: list[Segment] = field(default_factory=list)  # of the lines that stay
    successors: list[Part] = field(default_factory=list)


@dataclass
class SuccessionWriter:
    """Of one shard. `numbers` are those of its lines, `last_round` is its track's latest."""

    batch: Batch
    shard: Shard
    numbers: array[int]
    last_round: int
    file: StoredFile
    objects: ObjectStore

    def __post_init__(self) -> None:
        self._spools = Spools(self.objects)

    def write(
        self, wishes: bytes, destinations: Sequence[Destination], format_of: FormatOf
    ) -> Succession:
        """`wishes` is what `goes` would be. A line that a provider's format refuses stays; what no
        batch of the provider takes is called, where that may be.
        """
        found, places = Succession(bytearray(wishes)), list(destinations)
        for place, destination in enumerate(destinations, 1):
            if destination.lane == "native":
                called = STAYS
                if destination.can_call:
                    places.append(replace(destination, lane="direct"))
                    called = len(places)
                self._write_shards(found, place, called, places, format_of)
        self._write_chunks(found, places)
        return found

    def _write_shards(
        self,
        found: Succession,
        place: int,
        called: int,
        places: Sequence[Destination],
        format_of: FormatOf,
    ) -> None:
        """Those that are to go to `place`; what no batch takes goes to the place `called`."""
        destination = places[place - 1]
        to_format = format_of(destination.deployment)
        limits = to_format.limits
        if not destination.can_call:
            limits = replace(limits, minimum_lines=1)
        writer = PartWriter(self.batch.id, place, "native", limits, self._spools)
        for owed in self._lines(found.goes, place):
            line = _line_of(owed)
            try:
                content = to_format.to_line(line, line_id(self.batch.id, line.number))
            except NotInBatches:
                found.goes[self._at(line.number)] = called
                continue
            except InvalidRequest:
                continue
            writer.add(line, owed.row.start, owed.row.end, content)
            found.goes[self._at(line.number)] = place
        writer.finish()
        found.successors += [self._shard_of(draft, destination) for draft in writer.finished]

    def _lines(self, goes: bytearray, place: int) -> Iterator[OwedLine]:
        """Those that are to go there; each stays until it has been written."""
        wanted = [each == place for each in goes]
        goes[:] = goes.replace(bytes([place]), bytes([STAYS]))
        return read_lines(compress(self._rows(), wanted), self.file, self.objects)

    def _write_chunks(self, found: Succession, destinations: Sequence[Destination]) -> None:
        """The index of each chunk, and that of the lines that stay."""
        groups = {STAYS: self._group()}
        for place, destination in enumerate(destinations, 1):
            if destination.lane == "direct":
                groups[place] = self._group()
        for row, place in zip(self._rows(), found.goes, strict=True):
            if place in groups:
                groups[place].add(row)
        for group in groups.values():
            self._spools.close(group.index)
        found.index = groups.pop(STAYS).index.segments
        found.successors += [
            self._chunk_of(group, destinations[place - 1])
            for place, group in groups.items()
            if group.lines
        ]

    def _group(self) -> _Group:
        shard = self.shard
        folder = work_folder(shard.batch_id, shard.track, shard.number, shard.round)
        return _Group(self._spools.open(f"{folder}/index", []))

    def _rows(self) -> Iterator[IndexRow]:
        return index_of(self.shard, self.objects)

    def _at(self, number: int) -> int:
        return bisect_left(self.numbers, number)

    def _shard_of(self, draft: Draft, destination: Destination) -> Part:
        fields = self._fields(destination, draft.first, draft.lines, draft.index)
        if draft.lane == "native":
            return Shard(input=draft.content, **fields)
        return Chunk(**fields)

    def _chunk_of(self, group: _Group, destination: Destination) -> Part:
        return Chunk(**self._fields(destination, group.first, group.lines, group.index.segments))

    def _fields(
        self, destination: Destination, first: int, lines: int, index: list[Segment]
    ) -> dict[str, Any]:
        self.last_round += 1
        return {
            "batch_id": self.batch.id,
            "track": self.shard.track,
            "number": self.shard.number,
            "round": self.last_round,
            "endpoint": self.shard.endpoint,
            "deployment": destination.deployment,
            "fallbacks": list(destination.fallbacks),
            "tries": destination.tries,
            "lines": lines,
            "first": first,
            "index": index,
        }


def _line_of(owed: OwedLine) -> Line:
    """A line that was checked when it was planned."""
    entry = orjson.loads(owed.content)
    body = entry["body"]
    return Line(owed.number, entry["custom_id"], entry["url"], body["model"], body)
