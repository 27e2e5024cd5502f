"""The results of a batch and its retries as one: in the order of the input, the best of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.batch import Batch, BatchStatus
from nightmail.errors import InvalidRequest, NotFound
from nightmail.outcome import Kind, Outcome, number_in_result, result_line, to_row
from nightmail.results import merged_results
from nightmail.results.merged_results import read_merged
from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import ClaimStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.stores import Stores
from nightmail.stores.table import Table

from tests.unit.memory import MemoryDynamo, MemoryS3
from tests.unit.samples import NOW, sample_batch
from tests.unit.test_partial_results import packed
from tests.unit.world import input_file

MANY = 10**9
ANSWERED, FAILED = Kind.ANSWERED, Kind.FAILED


class Family:
    """A batch and its retries, with their files."""

    def __init__(self) -> None:
        table = Table(cast(Any, MemoryDynamo()), "table")
        self.stores = Stores(
            BatchStore(table, lambda: NOW),
            PartStore(table),
            FileStore(table),
            ObjectStore(cast(Any, MemoryS3()), "bucket"),
            ClaimStore(table),
        )
        self.batches: list[Batch] = []
        self.cursor: str | None = None

    def add(self, outcomes: Mapping[int, Kind]) -> Batch:
        """A batch that has ended, with these outcomes."""
        batch = sample_batch(id=f"batch_{len(self.batches):032d}", status=BatchStatus.COMPLETED)
        for name, is_output in (("output_file_id", True), ("error_file_id", False)):
            numbers = [n for n in sorted(outcomes) if (outcomes[n] is ANSWERED) is is_output]
            if numbers:
                file_id = f"file-{name}-{len(self.batches):08d}"
                content = b"".join(line(batch, number, outcomes[number]) for number in numbers)
                segment = self.stores.objects.put(f"files/alice/{file_id}", content)
                self.stores.files.create(input_file(segment, id=file_id))
                batch = batch.model_copy(update={name: file_id})
        self.batches.append(batch)
        return batch

    def page(self, limit: int = 1000, most_bytes: int = MANY) -> tuple[list[bytes], bool]:
        page = read_merged(self.batches, self.cursor, limit, most_bytes, self.stores, NOW)
        assert len(page.lines) <= limit
        self.cursor = page.cursor
        return page.lines, page.is_last

    def read(self, limit: int = 1000, most_bytes: int = MANY) -> list[bytes]:
        found: list[bytes] = []
        is_last = False
        while not is_last:
            lines, is_last = self.page(limit, most_bytes)
            assert lines or is_last
            found += lines
        return found


def line(batch: Batch, number: int, kind: Kind) -> bytes:
    return result_line(batch.id, number, b'"c %d"' % number, to_row(Outcome(number, kind)))


def all_of(kind: Kind, numbers: Sequence[int]) -> dict[int, Kind]:
    return dict.fromkeys(numbers, kind)


def test_answers_of_a_retry_stand_where_their_lines_failed() -> None:
    family = Family()
    parent = family.add({1: ANSWERED, 2: FAILED, 3: ANSWERED, 4: FAILED, 5: FAILED})
    retry = family.add({2: ANSWERED, 4: FAILED, 5: ANSWERED})
    again = family.add({4: ANSWERED})
    assert family.read() == [
        line(parent, 1, ANSWERED),
        line(retry, 2, ANSWERED),
        line(parent, 3, ANSWERED),
        line(again, 4, ANSWERED),
        line(retry, 5, ANSWERED),
    ]


def test_where_none_was_answered_the_latest_says_why() -> None:
    family = Family()
    family.add({1: FAILED, 2: FAILED})
    latest = family.add({2: FAILED, 1: FAILED})
    assert family.read() == [line(latest, 1, FAILED), line(latest, 2, FAILED)]


def test_an_answer_counts_more_than_what_a_later_batch_says() -> None:
    family = Family()
    family.add({1: FAILED})
    answered = family.add({1: ANSWERED})
    family.add({1: FAILED})
    assert family.read() == [line(answered, 1, ANSWERED)]


OUTCOMES = st.dictionaries(st.integers(1, 30), st.sampled_from([ANSWERED, FAILED]), max_size=30)


@given(
    st.lists(OUTCOMES, min_size=1, max_size=4), st.integers(1, 7), st.sampled_from([1, 250, MANY])
)
def test_each_line_comes_once_in_order_and_with_its_best_whatever_the_pages(
    lives: list[dict[int, Kind]], limit: int, most_bytes: int
) -> None:
    family = Family()
    best: dict[int, bytes] = {}
    kinds: dict[int, Kind] = {}
    for outcomes in lives:
        batch = family.add(outcomes)
        for number, kind in outcomes.items():
            if kinds.get(number) is not ANSWERED or kind is ANSWERED:
                kinds[number], best[number] = kind, line(batch, number, kind)
    assert family.read(limit, most_bytes) == [best[number] for number in sorted(best)]


def test_a_retry_that_ends_between_two_pages_is_read_from_there_on() -> None:
    family = Family()
    parent = family.add(all_of(FAILED, [1, 2, 3, 4]))
    assert family.page(limit=2) == ([line(parent, 1, FAILED), line(parent, 2, FAILED)], False)
    retry = family.add(all_of(ANSWERED, [1, 2, 3, 4]))
    assert family.page() == ([line(retry, 3, ANSWERED), line(retry, 4, ANSWERED)], True)
    assert family.page() == ([], True)


def test_a_retry_that_has_no_files_yet_is_waited_for_and_one_that_has_none_is_passed_over() -> None:
    family = Family()
    parent = family.add({1: ANSWERED, 2: FAILED})
    retry = sample_batch(id="batch_" + "9" * 32, status=BatchStatus.IN_PROGRESS)
    family.batches.append(retry)
    assert family.page() == ([line(parent, 1, ANSWERED)], False)
    family.batches[1] = retry.model_copy(update={"status": BatchStatus.FAILED})
    assert family.page() == ([line(parent, 2, FAILED)], True)


def test_blocks_are_smaller_where_there_are_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_results, "_OPEN_BYTES", 100)
    family = Family()
    family.add(all_of(FAILED, range(1, 20)))
    retry = family.add(all_of(ANSWERED, range(1, 20)))
    assert family.read(limit=4) == [line(retry, number, ANSWERED) for number in range(1, 20)]


def test_a_file_that_was_deleted_is_named() -> None:
    family = Family()
    parent = family.add({1: ANSWERED})
    family.stores.files.delete("alice", parent.output_file_id or "")
    with pytest.raises(NotFound) as raised:
        family.read()
    assert parent.output_file_id
    assert parent.output_file_id in raised.value.message


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        packed({"v": 1}),
        packed({"v": 1, "family": "another1"}),
        packed({"v": 1, "family": "0" * 8, "offsets": {"00000000.output": -2}}),
        packed({"v": 1, "family": "0" * 8, "offsets": {"00000000.output": 3}}),
    ],
)
def test_what_is_no_cursor_of_the_batch_is_refused(cursor: str) -> None:
    family = Family()
    family.add(all_of(ANSWERED, [1, 2, 3]))
    family.cursor = cursor
    with pytest.raises(InvalidRequest) as raised:
        family.read()
    assert raised.value.param == "after"


def test_the_number_of_a_line_is_that_at_the_end_of_its_id() -> None:
    assert number_in_result(line(sample_batch(), 4711, FAILED)) == 4711
