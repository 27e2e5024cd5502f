"""Lines of a part, read from the input file again by the places that the part's index names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from nightmail.batch import BatchError
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import StoredFile
from nightmail.line_index import IndexRow, read_index
from nightmail.part import Part
from nightmail.stores.objects import CHUNK_BYTES, ObjectStore


class OwedLine(NamedTuple):
    """A line as it stands in the file, and where that is."""

    row: IndexRow
    content: bytes

    @property
    def number(self) -> int:
        return self.row.number


def owed_lines(
    part: Part,
    file: StoredFile,
    objects: ObjectStore,
    done: Collection[int],
    *,
    most_lines: int,
    most_bytes: int,
) -> list[OwedLine]:
    """The first lines whose numbers are not among `done`, in order: as many as are within the bounds,
    but one at least.

    Raises StorageUnavailable where the file's objects are just being joined: read its record again.
    """
    rows = (row for row in index_of(part, objects) if row.number not in done)
    lines: list[OwedLine] = []
    size = 0
    for line in read_lines(rows, file, objects):
        size += len(line.content)
        if lines and (size > most_bytes or len(lines) >= most_lines):
            break
        lines.append(line)
    return lines


def index_of(part: Part, objects: ObjectStore) -> Iterator[IndexRow]:
    """The rows of a part's index."""
    return read_index(objects.chunks(part.index))


def renumbered(errors: Sequence[BatchError], part: Part, objects: ObjectStore) -> list[BatchError]:
    """A provider counts the lines of its shard; our caller counts those of the file."""
    wanted = {error.line for error in errors if error.line}
    if not wanted:
        return list(errors)
    rows = enumerate(index_of(part, objects), 1)
    numbers = {place: row.number for place, row in rows if place in wanted}
    return [
        error.model_copy(update={"line": numbers.get(error.line)}) if error.line else error
        for error in errors
    ]


def read_lines(
    rows: Iterable[IndexRow], file: StoredFile, objects: ObjectStore
) -> Iterator[OwedLine]:
    """The lines of these rows, which are in order; neighbours come by one call.

    A line that the file has not is left out. Raises StorageUnavailable as `owed_lines` does.
    """
    for group in _neighbours(rows):
        start = group[0].start
        content = _content(file, objects, start, group[-1].end)
        for row in group:
            line = content[row.start - start : row.end - start].rstrip(b"\n")
            if line:
                yield OwedLine(row, line)


def _neighbours(rows: Iterable[IndexRow]) -> Iterator[list[IndexRow]]:
    """Rows whose bytes lie within one piece of the file."""
    group: list[IndexRow] = []
    for row in rows:
        if group and row.end - group[0].start > CHUNK_BYTES:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _content(file: StoredFile, objects: ObjectStore, start: int, end: int) -> bytes:
    try:
        return b"".join(objects.pieces(file.segments, start, end))
    except NotFound as error:
        raise StorageUnavailable("The input file is being rewritten; try again.") from error
