"""Lines of a part are read from the file again, wherever in it they stand, slice by slice."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.chunk import Chunk
from nightmail.errors import StorageUnavailable
from nightmail.file import StoredFile
from nightmail.line_index import IndexRow, to_index_row
from nightmail.steps import input_lines
from nightmail.steps.input_lines import owed_lines, read_lines
from nightmail.stores.objects import ObjectStore

from tests.unit.memory import MemoryS3
from tests.unit.planning import a_file
from tests.unit.samples import sample_chunk

LINES = st.lists(st.binary(min_size=1, max_size=12).map(lambda line: line.replace(b"\n", b"x")))
MANY = 10**9


def store() -> ObjectStore:
    client: Any = MemoryS3()
    return ObjectStore(client, "bucket")


def kept(objects: ObjectStore, lines: list[bytes], cut: int = 0) -> StoredFile:
    """A file of these lines, in two segments."""
    content = b"".join(line + b"\n" for line in lines)
    pieces = [content[:cut], content[cut:]]
    return a_file(*(objects.put(f"files/{n}", piece) for n, piece in enumerate(pieces) if piece))


def rows_of(lines: list[bytes]) -> list[IndexRow]:
    ends = accumulate((len(line) + 1 for line in lines), initial=0)
    return [
        IndexRow(number, start, end, b'"%d"' % number)
        for number, (start, end) in enumerate(pairwise(ends), 1)
    ]


def part(objects: ObjectStore, rows: list[IndexRow]) -> Chunk:
    index = objects.put("work/index", b"".join(map(to_index_row, rows)))
    return sample_chunk(index=[index], lines=len(rows))


@given(LINES, st.sets(st.integers(1, 12)), st.integers(0, 60), st.integers(1, 40))
def test_the_lines_of_any_rows_are_read_whatever_stands_between(
    lines: list[bytes], wanted: set[int], cut: int, piece_bytes: int
) -> None:
    objects = store()
    file = kept(objects, lines, cut)
    rows = [row for row in rows_of(lines) if row.number in wanted]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_lines, "CHUNK_BYTES", piece_bytes)
        found = list(read_lines(rows, file, objects))
    assert [(line.number, line.content) for line in found] == [
        (row.number, lines[row.number - 1]) for row in rows
    ]


@given(LINES, st.integers(1, 5), st.integers(0, 40))
def test_slice_by_slice_every_line_comes_once(
    lines: list[bytes], most_lines: int, most_bytes: int
) -> None:
    objects = store()
    file, chunk = kept(objects, lines), part(objects, rows_of(lines))
    done: set[int] = set()
    while owed := owed_lines(
        chunk, file, objects, done, most_lines=most_lines, most_bytes=most_bytes
    ):
        numbers = [line.number for line in owed]
        assert numbers == sorted(numbers)
        assert numbers[0] == len(done) + 1
        assert len(owed) <= most_lines
        assert len(owed) == 1 or sum(len(line.content) for line in owed) <= most_bytes
        assert [line.content for line in owed] == [lines[number - 1] for number in numbers]
        done |= set(numbers)
    assert done == set(range(1, len(lines) + 1))


def test_neighbours_come_by_one_call() -> None:
    objects = store()
    lines = [b"x" * 100] * 50
    file = kept(objects, lines)
    reads: list[str] = []
    read = objects._client.get_object

    def counted(**given: Any) -> Any:
        reads.append(given["Key"])
        return read(**given)

    objects._client.get_object = counted  # type: ignore[method-assign]
    assert len(list(read_lines(rows_of(lines), file, objects))) == 50
    assert len(reads) == 1


def test_a_line_that_the_file_has_not_is_left_out() -> None:
    objects = store()
    file = kept(objects, [b"one"])
    rows = rows_of([b"one", b"two"])
    assert [line.content for line in read_lines(rows, file, objects)] == [b"one"]


def test_a_file_that_is_being_rewritten_is_read_later() -> None:
    objects = store()
    file = kept(objects, [b"one"])
    objects.delete(["files/1"])
    with pytest.raises(StorageUnavailable):
        list(read_lines(rows_of([b"one"]), file, objects))
