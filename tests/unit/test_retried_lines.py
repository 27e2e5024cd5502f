"""A retry runs the lines that the error file of the batch before names, under their own numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.batch import BatchStatus
from nightmail.outcome import Kind, Outcome, result_line, to_row
from nightmail.payloads import Next

from tests.unit.machine import Json
from tests.unit.planning import Planning, a_line, as_jsonl, deployment
from tests.unit.samples import NOW, sample_batch

PARENT = "batch_" + "0" * 31 + "2"


def error_line(number: int) -> bytes:
    row = to_row(Outcome(number, Kind.FAILED, error={"code": "batch_expired", "message": "Late."}))
    return result_line(PARENT, number, b'"line"', row)


def with_parent(planning: Planning, failed: list[int], **changes: object) -> None:
    fields = {"id": PARENT, "status": BatchStatus.COMPLETED, "error_file_id": "file-errors"}
    planning.stores.batches.create(sample_batch(**{**fields, **changes}))
    errors = b"".join(map(error_line, failed))
    planning.keep_file("file-errors", errors, purpose="batch_output")


def lines_of(count: int) -> list[Json]:
    return [a_line(number) for number in range(1, count + 1)]


def numbers(planning: Planning) -> list[int]:
    return [row.number for part in planning.parts for row in planning.index(part)]


@given(st.sets(st.integers(2, 12), min_size=1), st.integers(0, 4))
def test_the_failed_lines_alone_are_planned_under_their_numbers(
    failed: set[int], lines_a_run: int
) -> None:
    planning = Planning(lines_a_run=lines_a_run)
    with_parent(planning, sorted(failed))
    planning.plan(b"\n" + as_jsonl(lines_of(11)), retry_of=PARENT)
    assert numbers(planning) == sorted(failed)
    assert planning.batch.counts.total == len(failed)


def test_lines_behind_the_last_failed_one_are_not_read() -> None:
    planning = Planning()
    with_parent(planning, [2])
    planning.plan(as_jsonl(lines_of(3)) + b"no json\n", retry_of=PARENT)
    assert numbers(planning) == [2]


def test_lines_that_did_not_fail_are_not_checked_again() -> None:
    planning = Planning([deployment("served")])
    with_parent(planning, [2])
    planning.plan([a_line(1, model="gone"), a_line(2, model="served")], retry_of=PARENT)
    assert numbers(planning) == [2]


@pytest.mark.parametrize(
    "changes", [{"error_file_id": "file-gone"}, {"error_file_id": None}, {"owner": "bob"}]
)
def test_an_error_file_that_is_gone_fails_the_retry(changes: Json) -> None:
    planning = Planning()
    with_parent(planning, [1], **changes)
    assert planning.refusals(lines_of(1), retry_of=PARENT) == [("error_file_gone", None)]
    assert PARENT in planning.batch.errors[0].message


def test_where_the_retry_before_ran_nothing_the_lines_are_those_of_its_own_parent() -> None:
    planning = Planning()
    with_parent(planning, [2, 3], chunks=1)
    refused = {"id": "batch_refused", "status": BatchStatus.FAILED, "retry_of": PARENT}
    planning.stores.batches.create(sample_batch(**refused))
    planning.plan(lines_of(4), retry_of="batch_refused")
    assert numbers(planning) == [2, 3]


def test_an_input_file_that_is_gone_fails_the_retry() -> None:
    planning = Planning()
    with_parent(planning, [1])
    planning.create(lines_of(1), retry_of=PARENT)
    planning.stores.files.delete("alice", "file-in")
    assert planning.run() is Next.FAILED
    assert planning.batch.errors[0].param == "file_id"


def test_an_error_file_that_has_expired_fails_the_retry() -> None:
    planning = Planning()
    with_parent(planning, [1])
    planning.now = NOW
    planning.stores.files.delete("alice", "file-errors")
    planning.keep_file("file-errors", error_line(1), purpose="batch_output", expires_at=NOW)
    assert planning.refusals(lines_of(1), retry_of=PARENT) == [("error_file_gone", None)]
