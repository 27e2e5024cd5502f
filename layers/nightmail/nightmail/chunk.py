"""A chunk: lines of one batch that the gateway calls itself, one by one.

    planned ──► done       every line has an outcome
       └──────► stopped    nothing more will come; `errors` say why

While it is planned, a worker that holds its lease calls the lines, many at a time. Their outcomes lie
in the bucket, which is the truth; the figures in the item follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field

from nightmail.batch import BatchError
from nightmail.file import Segment
from nightmail.part import Ending, Part, Track


class ChunkState(StrEnum):
    PLANNED = "planned"
    DONE = "done"
    STOPPED = "stopped"


class Chunk(Part):
    """One chunk's item: short, whatever its lines are.

    Its `log` is the outcomes as they came, rows one behind another: it only grows, so a place in it
    stays what it is. When the chunk is over its `runs` have the same rows, sorted.
    """

    kind = "chunk"

    track: Track = "chunk"
    log: list[Segment] = Field(default_factory=list)
    state: ChunkState = ChunkState.PLANNED
    rounds: int = 0  # after which lines were left that a later try may answer

    def stopped(self, ending: Ending, errors: Sequence[BatchError]) -> Self:
        return self.changed(state=ChunkState.STOPPED, **self._closed(ending, errors))

    @property
    def is_over(self) -> bool:
        return self.state is not ChunkState.PLANNED

    @property
    def got_through(self) -> bool:
        return self.state is ChunkState.DONE or self.completed > 0
