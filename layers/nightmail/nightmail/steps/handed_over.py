"""A batch that goes on where a synchronous request stopped begins with what was answered there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightmail.chunk import Chunk
from nightmail.file import Segment
from nightmail.outcome import number_of
from nightmail.steps.chunk_runs import begun
from nightmail.steps.input_lines import index_of
from nightmail.stores.objects import ObjectStore

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer


def with_answered(chunk: Chunk, answered: Segment, objects: ObjectStore, pricer: Pricer) -> Chunk:
    """The chunk with its outcomes among `answered`, whose rows are sorted."""
    numbers = {row.number for row in index_of(chunk, objects)}
    rows = objects.get(answered.key).splitlines(keepends=True)
    own = [row for row in rows if number_of(row) in numbers]
    return begun(chunk, own, objects, pricer) if own else chunk
