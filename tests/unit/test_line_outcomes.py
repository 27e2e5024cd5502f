"""The lines of a batch's parts in the order of the input, wherever their lines stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.chunk import Chunk
from nightmail.outcome import Kind, Outcome, number_of, to_row
from nightmail.part import Part
from nightmail.results import line_outcomes
from nightmail.results.line_outcomes import (
    Answered,
    InOrder,
    Position,
    cut_with_ends,
    line_numbers,
)
from nightmail.stores.objects import ObjectStore

from tests.unit.memory import MemoryS3
from tests.unit.samples import sample_chunk


class Watched(MemoryS3):
    """Knows which objects were read, and how much of them."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.most = 0

    def get_object(self, **given: Any) -> dict[str, Any]:
        self.opened.append(given["Key"])
        first, last = given.get("Range", "bytes=0-0").removeprefix("bytes=").split("-")
        self.most = max(self.most, int(last) - int(first) + 1)
        return super().get_object(**given)


def a_store() -> tuple[ObjectStore, Watched]:
    s3 = Watched()
    return ObjectStore(cast(Any, s3), "bucket"), s3


def a_part(objects: ObjectStore, number: int, lines: Sequence[int], *runs: list[int]) -> Chunk:
    """A part of these lines; its runs have rows for these."""
    index = b"".join(b'%d 0 9 "line %d"\n' % (line, line) for line in lines)
    rows = [b"".join(a_row(line) for line in sorted(run)) for run in runs]
    return sample_chunk(
        number=number,
        lines=len(lines),
        first=lines[0],
        index=[objects.put(f"{number}/index", index)],
        runs=[objects.put(f"{number}/run-{n}", content) for n, content in enumerate(rows)],
    )


def a_row(line: int, kind: Kind = Kind.ANSWERED) -> bytes:
    return to_row(Outcome(line, kind, response={"line": line}))


def read(parts: list[Part], objects: ObjectStore, stop_every: int = 0) -> list[Answered]:
    """All lines; with `stop_every`, by many readings that go on where the one before stopped."""
    positions = [Position() for _ in parts]
    found: list[Answered] = []
    while True:
        lines = InOrder(parts, positions, objects)
        for taken, line in enumerate(lines, 1):
            found.append(line)
            if taken == stop_every:
                break
        else:
            return found
        stored = [position.model_dump_json() for position in lines.positions()]
        positions = [Position.model_validate_json(position) for position in stored]


SPLITS = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@given(
    split=SPLITS,
    stop_every=st.integers(0, 3),
    lost=st.sets(st.integers(1, 30)),
    strange=st.sets(st.integers(1, 30)),
)
def test_lines_come_in_order_however_they_are_split_and_wherever_reading_stops(
    split: list[int], stop_every: int, lost: set[int], strange: set[int]
) -> None:
    objects, _ = a_store()
    parts: list[Part] = []
    for place in sorted(set(split)):
        lines = [number for number, part in enumerate(split, 1) if part == place]
        answered = [line for line in lines if line not in lost]
        passed_on = [line for line in strange if line not in lines]
        parts.append(a_part(objects, place + 1, lines, answered[::2], passed_on, answered[1::2]))
    found = read(parts, objects, stop_every)
    assert [line.number for line in found] == list(range(1, len(split) + 1))
    for line in found:
        assert line.custom_id == b'"line %d"' % line.number
        assert (line.row is None) == (line.number in lost)
        assert line.row is None or number_of(line.row) == line.number


def test_parts_that_follow_each_other_are_open_one_at_a_time() -> None:
    objects, s3 = a_store()
    parts: list[Part] = [a_part(objects, n, [2 * n - 1, 2 * n], [2 * n]) for n in range(1, 50)]
    lines = iter(InOrder(parts, [Position() for _ in parts], objects))
    assert next(lines).number == 1
    assert {key.split("/")[0] for key in s3.opened} == {"1"}


def test_parts_that_stand_in_any_order_are_read_by_their_first_lines() -> None:
    objects, _ = a_store()
    parts: list[Part] = [a_part(objects, 1, [5, 6], [5]), a_part(objects, 2, [1, 9], [1, 9])]
    assert [(line.number, line.part) for line in read(parts, objects)] == [
        (1, 1),
        (5, 0),
        (6, 0),
        (9, 1),
    ]


def test_a_part_whose_first_lines_passed_on_is_read_from_what_it_has_left() -> None:
    objects, _ = a_store()
    left = a_part(objects, 1, [3, 6], [1, 2, 3, 6]).changed(first=1)
    passed_on = a_part(objects, 2, [1, 2], [1])
    emptied = a_part(objects, 3, [4, 5], [4]).changed(lines=0, index=[])
    found = read([left, passed_on, emptied], objects)
    assert [(line.number, line.part) for line in found] == [(1, 1), (2, 1), (3, 0), (6, 0)]


def test_the_best_outcome_of_a_line_is_taken_wherever_it_stands() -> None:
    objects, _ = a_store()
    part = a_part(objects, 1, [1, 2, 3], []).changed(
        runs=[
            objects.put("a", a_row(1) + a_row(2, Kind.FAILED)),
            objects.put("b", a_row(1, Kind.FAILED) + a_row(2, Kind.REFUSED) + a_row(3)),
        ]
    )
    for stop_every in (0, 1):
        rows = [line.row for line in read([part], objects, stop_every)]
        assert rows == [a_row(1), a_row(2, Kind.REFUSED), a_row(3)]


def test_the_more_objects_are_open_the_smaller_are_the_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_outcomes, "_SMALLEST_BLOCK", 10)
    objects, s3 = a_store()
    alternating = [range(first, 400, 20) for first in range(1, 21)]
    parts: list[Part] = [
        a_part(objects, n, lines, list(lines)) for n, lines in enumerate(alternating, 1)
    ]
    lines = iter(InOrder(parts, [Position() for _ in parts], objects, open_bytes=4000))
    assert [next(lines).number for _ in parts] == list(range(1, 21))
    s3.most = 0
    assert [next(lines).number for _ in range(200)] == list(range(21, 221))
    streams = 2 * len(parts)
    assert 0 < s3.most <= 4000 // streams


def test_the_numbers_of_a_part_are_those_of_its_index() -> None:
    objects, _ = a_store()
    assert list(line_numbers(objects, a_part(objects, 1, [2, 5, 11]))) == [2, 5, 11]


@given(
    content=st.binary(max_size=60).map(lambda some: some.replace(b"a", b"\n")),
    size=st.integers(1, 9),
)
def test_a_stream_is_cut_into_its_lines_wherever_its_blocks_end(content: bytes, size: int) -> None:
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    found = list(cut_with_ends(blocks, 7))
    whole = content.split(b"\n")
    assert [line for line, _ in found] == (whole if whole[-1] else whole[:-1])
    for line, end in found:
        assert content[: end - 7].removesuffix(b"\n").endswith(line)
