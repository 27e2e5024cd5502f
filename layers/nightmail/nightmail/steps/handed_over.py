"""A batch that goes on where a synchronous request stopped begins with what was answered there."""

from __future__ import annotations

from collections.abc import Iterable

from nightmail.chunk import Chunk
from nightmail.file import Segment
from nightmail.outcome import number_of
from nightmail.steps.chunk_runs import ChunkRuns
from nightmail.steps.line_outcomes import line_numbers
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import chunk_folder, runs_prefix


def with_answered(chunks: Iterable[Chunk], answered: Segment, objects: ObjectStore) -> list[Chunk]:
    """The chunks with their outcomes among `answered`, whose rows are sorted."""
    rows = objects.get(answered.key).splitlines(keepends=True)
    return [_with_rows(chunk, rows, objects) for chunk in chunks]


def _with_rows(chunk: Chunk, rows: list[bytes], objects: ObjectStore) -> Chunk:
    numbers = set(line_numbers(objects, chunk))
    own = [row for row in rows if number_of(row) in numbers]
    if not own:
        return chunk
    folder = chunk_folder(chunk.batch_id, chunk.number)
    objects.put(f"{runs_prefix(folder)}answered.jsonl", b"".join(own))
    return ChunkRuns(chunk, objects).book(chunk)
