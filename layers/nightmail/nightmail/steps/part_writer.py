"""Writes the parts of a batch while its lines stream by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson
from pydantic import BaseModel, Field

from nightmail.bill import TakenLane
from nightmail.deployment import Deployment
from nightmail.endpoints import EMBEDDINGS
from nightmail.file import Segment
from nightmail.line_index import IndexRow, to_index_row
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.steps.estimation import Tally
from nightmail.steps.spools import Spool, Spools
from nightmail.work_keys import part_folder

WayLane = TakenLane | Literal["refused"]


class Way(BaseModel):
    """How lines go: to one deployment and endpoint by one lane, or nowhere, for they are refused."""

    endpoint: str
    deployment: Deployment
    lane: WayLane
    fallbacks: list[Deployment] = Field(default_factory=list)


class Draft(BaseModel):
    """A part of the way at this place, as far as it has been written.

    `content` are a shard's lines in the provider's format, or refused lines' outcomes; a chunk has
    none: it is read from the input file again. `size` counts
    the bytes that the part's limit is about, `inputs` the texts.
    """

    way: int
    lane: WayLane
    first: int
    lines: int = 0
    size: int = 0
    inputs: int = 0
    index: list[Segment] = Field(default_factory=list)
    content: list[Segment] = Field(default_factory=list)
    tally: Tally | None = None


@dataclass(frozen=True)
class _Open:
    """A draft with the two spools that its lines go to."""

    draft: Draft
    index: Spool
    content: Spool


class PartWriter:
    """Cuts the lines of one way into as many parts as its limits ask for.

    A shard of fewer lines than its provider takes becomes a chunk.
    """

    def __init__(
        self, batch_id: str, way: int, lane: WayLane, limits: Limits, spools: Spools
    ) -> None:
        self._batch_id = batch_id
        self._way = way
        self._lane = lane
        self._limits = limits
        self._spools = spools
        self._open: _Open | None = None
        self.finished: list[Draft] = []

    def add(
        self, line: Line, start: int, end: int, content: bytes = b"", tally: Tally | None = None
    ) -> None:
        """The next line: the input file's bytes from `start` to `end`, and what is sent or told."""
        size, inputs = len(content) or end - start, _inputs_of(line)
        part = self._with_room_for(size, inputs, line.number)
        row = IndexRow(line.number, start, end, orjson.dumps(line.custom_id))
        part.index.write(to_index_row(row))
        part.content.write(content)
        draft = part.draft
        draft.lines += 1
        draft.size += size
        draft.inputs += inputs
        if tally:
            draft.tally = tally + draft.tally if draft.tally else tally

    def finish(self) -> None:
        """Complete the part that is open."""
        part, self._open = self._open, None
        if part:
            self._spools.close(part.index)
            self._spools.close(part.content)
            is_small = self._lane == "native" and part.draft.lines < self._limits.minimum_lines
            self.finished.append(_called(part.draft) if is_small else part.draft)

    def suspend(self) -> Draft | None:
        """The part that is still open, for `resume`; all of it is in the bucket."""
        if self._open is None:
            return None
        self._open.index.flush()
        self._open.content.flush()
        return self._open.draft

    def resume(self, draft: Draft) -> None:
        """Go on where `suspend` stopped."""
        folder = part_folder(self._batch_id, draft.first)
        index = self._spools.open(f"{folder}/index", draft.index)
        self._open = _Open(draft, index, self._spools.open(f"{folder}/content", draft.content))

    def _with_room_for(self, size: int, inputs: int, number: int) -> _Open:
        limits, part = self._limits, self._open
        if part and _is_full(part.draft, limits, size, inputs):
            self.finish()
        if self._open is None:
            self.resume(Draft(way=self._way, lane=self._lane, first=number))
        assert self._open is not None
        return self._open


def _is_full(draft: Draft, limits: Limits, size: int, inputs: int) -> bool:
    has_too_many = limits.inputs is not None and draft.inputs + inputs > limits.inputs
    return draft.lines >= limits.lines or draft.size + size > limits.bytes or has_too_many


def _inputs_of(line: Line) -> int:
    """How many texts a line has embedded: a list of numbers is one text, as tokens."""
    given = line.body.get("input") if line.url == EMBEDDINGS else None
    if not isinstance(given, list) or not given or isinstance(given[0], int):
        return 1
    return len(given)


def _called(draft: Draft) -> Draft:
    """A shard that becomes a chunk."""
    tally = draft.tally.at_once() if draft.tally else None
    return draft.model_copy(update={"lane": "direct", "content": [], "tally": tally})
