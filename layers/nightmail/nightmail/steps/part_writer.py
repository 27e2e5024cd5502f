"""Writes the parts of a batch while its input file streams by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, Field

from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.shard import Shard
from nightmail.stores.multipart import MultipartWriter, Suspended
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import part_folder


class Planned(BaseModel):
    """The parts that are complete."""

    shards: list[Shard] = Field(default_factory=list)
    chunks: list[Chunk] = Field(default_factory=list)


class Draft(BaseModel):
    """A part that is being written, at rest."""

    first: int
    start: int
    end: int
    lines: int
    size: int
    index: Suspended
    input: Suspended | None


@dataclass(frozen=True)
class Way:
    """How lines of one deployment and endpoint go: with `to_line` as shards, without it as chunks.

    A shard of fewer lines than its provider takes becomes a chunk.
    """

    endpoint: str
    deployment: Deployment
    limits: Limits
    to_line: Callable[[Line], bytes] | None = None


@dataclass
class _Open:
    first: int
    start: int
    index: MultipartWriter
    input: MultipartWriter | None
    end: int = field(init=False)
    lines: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.end = self.start


class PartWriter:
    """Cuts the lines that go one way into as many parts as its limits ask for.

    A part has an index of `number custom_id`. A shard has its lines in the provider's format besides;
    a chunk is read from the input file again.
    """

    def __init__(self, batch_id: str, way: Way, planned: Planned, objects: ObjectStore) -> None:
        self._batch_id = batch_id
        self._way = way
        self._planned = planned
        self._objects = objects
        self._open: _Open | None = None

    def add(self, line: Line, start: int, end: int) -> None:
        """The next line: the input file's bytes from `start` to `end`."""
        content = self._way.to_line(line) if self._way.to_line else None
        size = end - start if content is None else len(content)
        part = self._with_room_for(size, line.number, start)
        if part.input and content is not None:
            part.input.write(content)
        part.index.write(b"%d %b\n" % (line.number, orjson.dumps(line.custom_id)))
        part.lines += 1
        part.size += size
        part.end = end

    def finish(self) -> None:
        """Complete the part that is open."""
        part, self._open = self._open, None
        if part is None:
            return
        fields = self._fields(part)
        if part.input is None or part.lines < self._way.limits.minimum_lines:
            number = len(self._planned.chunks) + 1
            self._planned.chunks.append(Chunk(number=number, **fields))
        else:
            number, content = len(self._planned.shards) + 1, part.input.complete()
            self._planned.shards.append(Shard(number=number, input=[content], **fields))

    def suspend(self) -> Draft | None:
        """The part that is still open, for `resume`."""
        part = self._open
        if part is None:
            return None
        return Draft(
            first=part.first,
            start=part.start,
            end=part.end,
            lines=part.lines,
            size=part.size,
            index=part.index.suspend(),
            input=part.input.suspend() if part.input else None,
        )

    def resume(self, draft: Draft | None) -> None:
        """Go on where `suspend` stopped."""
        if draft:
            index = self._objects.resume(draft.index)
            content = self._objects.resume(draft.input) if draft.input else None
            self._open = _Open(draft.first, draft.start, index, content)
            self._open.end, self._open.lines, self._open.size = draft.end, draft.lines, draft.size

    def _with_room_for(self, size: int, number: int, start: int) -> _Open:
        limits, part = self._way.limits, self._open
        if part and (part.lines >= limits.lines or part.size + size > limits.bytes):
            self.finish()
        if self._open is None:
            self._open = self._begin(number, start)
        return self._open

    def _begin(self, first: int, start: int) -> _Open:
        folder = part_folder(self._batch_id, first)
        return _Open(
            first,
            start,
            index=self._objects.writer(f"{folder}/index"),
            input=self._objects.writer(f"{folder}/input") if self._way.to_line else None,
        )

    def _fields(self, part: _Open) -> dict[str, Any]:
        return {
            "batch_id": self._batch_id,
            "endpoint": self._way.endpoint,
            "deployment": self._way.deployment,
            "lines": part.lines,
            "first": part.first,
            "start": part.start,
            "end": part.end,
            "index": [part.index.complete()],
        }
