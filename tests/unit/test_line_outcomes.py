"""The lines of a batch's parts in the order of the input, wherever their lines stand."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from nightmail.chunk import Chunk
from nightmail.outcome import Kind, Outcome, number_of, to_row
from nightmail.part import Part
from nightmail.steps.line_outcomes import Answered, Position, in_order, merged_rows
from nightmail.stores.objects import ObjectStore

from tests.unit.memory import MemoryS3
from tests.unit.samples import sample_chunk


class Watched(MemoryS3):
    """Knows which objects are being read."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def get_object(self, **given: Any) -> dict[str, Any]:
        self.opened.append(given["Key"])
        return super().get_object(**given)


def a_store() -> tuple[ObjectStore, Watched]:
    s3 = Watched()
    return ObjectStore(cast(Any, s3), "bucket"), s3


def a_part(objects: ObjectStore, number: int, lines: list[int], *runs: list[int]) -> Chunk:
    """A part of these lines; its runs have rows for these."""
    index = b"".join(b'%d "line-%d"\n' % (line, line) for line in lines)
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
        for taken, line in enumerate(in_order(parts, positions, objects), 1):
            found.append(line)
            positions[line.part] = Position.model_validate_json(line.behind.model_dump_json())
            if taken == stop_every:
                break
        else:
            return found


SPLITS = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@given(split=SPLITS, stop_every=st.integers(0, 3), lost=st.sets(st.integers(1, 30)))
def test_lines_come_in_order_however_they_are_split_and_wherever_reading_stops(
    split: list[int], stop_every: int, lost: set[int]
) -> None:
    objects, _ = a_store()
    parts: list[Part] = []
    for place in sorted(set(split)):
        lines = [number for number, part in enumerate(split, 1) if part == place]
        answered = [line for line in lines if line not in lost]
        parts.append(a_part(objects, place + 1, lines, answered[::2], answered[1::2]))
    found = read(parts, objects, stop_every)
    assert [line.number for line in found] == list(range(1, len(split) + 1))
    for line in found:
        assert line.custom_id == b'"line-%d"' % line.number
        assert (line.row is None) == (line.number in lost)
        assert line.row is None or number_of(line.row) == line.number


def test_parts_that_follow_each_other_are_open_one_at_a_time() -> None:
    objects, s3 = a_store()
    parts: list[Part] = [a_part(objects, n, [2 * n - 1, 2 * n], [2 * n]) for n in range(1, 50)]
    lines = in_order(parts, [Position() for _ in parts], objects)
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


def test_merged_rows_have_the_best_outcome_of_each_line() -> None:
    objects, _ = a_store()
    first = objects.put("a", a_row(1) + a_row(2, Kind.FAILED))
    second = objects.put("b", a_row(1, Kind.FAILED) + a_row(2, Kind.REFUSED) + a_row(3))
    assert list(merged_rows([first, second], objects)) == [
        a_row(1),
        a_row(2, Kind.REFUSED),
        a_row(3),
    ]
