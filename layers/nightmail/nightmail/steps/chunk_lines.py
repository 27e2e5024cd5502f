"""The lines of a chunk, read from the input file again."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from nightmail.chunk import Chunk
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import StoredFile
from nightmail.lines import cut_lines
from nightmail.steps.line_outcomes import line_numbers
from nightmail.stores.objects import ObjectStore


class OwedLine(NamedTuple):
    """A line without an outcome, as it stands in the file."""

    number: int
    content: bytes


def owed_lines(
    chunk: Chunk, file: StoredFile, objects: ObjectStore, done: Collection[int]
) -> list[OwedLine]:
    """Those whose numbers are not among `done`, in order; together they are a chunk's few megabytes.

    Raises StorageUnavailable where the file's objects are just being joined: read its record again.
    """
    wanted = set(line_numbers(objects, chunk)).difference(done)
    pieces = objects.pieces(file.segments, chunk.start, chunk.end)
    try:
        return [
            OwedLine(number, raw.content)
            for number, raw in enumerate(cut_lines(pieces), chunk.first)
            if number in wanted and raw.content
        ]
    except NotFound as error:
        raise StorageUnavailable("The input file is being rewritten; try again.") from error
