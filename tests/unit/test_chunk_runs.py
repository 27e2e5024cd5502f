"""A chunk's outcomes in the bucket: the log only grows, whoever writes it, and every line is in it once."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from nightmail.bill import total_cost
from nightmail.chunk import Chunk
from nightmail.cost import Cost
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, billed, number_of, to_row
from nightmail.steps import chunk_runs, log_segments
from nightmail.steps.chunk_runs import ChunkRuns, Finished, begun, with_outcomes
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import log_prefix, work_folder

from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID, sample_chunk

PREFIX = log_prefix(work_folder(BATCH_ID, "chunk", 1, 0))
LINES = 60


class Watched(MemoryS3):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[str, int] = {}

    def get_object(self, **given: Any) -> dict[str, Any]:
        answer = super().get_object(**given)
        length = int(answer["Body"]._content_length)
        self.read[given["Key"]] = self.read.get(given["Key"], 0) + length
        return answer


def a_store() -> tuple[ObjectStore, Watched]:
    s3 = Watched()
    return ObjectStore(cast(Any, s3), "bucket"), s3


def answer(number: int, padding: int = 0) -> Finished:
    """Every line costs a millionth of its number."""
    body = {"model": "m", "usage": {"prompt_tokens": number}, "text": "x" * padding}
    outcome = Outcome(
        number, Kind.ANSWERED, {"status_code": 200, "body": body}, details={"provider": "p"}
    )
    cost = Decimal(number) / 1_000_000
    return Finished.of(billed(outcome, "direct", Cost(amount=cost, synchronous=cost)))


def failure(number: int) -> Finished:
    return Finished.of(Outcome(number, Kind.FAILED, error={"code": "c", "message": "m"}))


def finished(number: int) -> Finished:
    return failure(number) if number % 4 == 0 else answer(number)


def content(objects: ObjectStore, segments: Any) -> bytes:
    return b"".join(objects.chunks(segments))


def numbers_in(objects: ObjectStore, segments: Any) -> list[int]:
    return [number_of(row) for row in content(objects, segments).splitlines()]


def check_figures(chunk: Chunk, numbers: set[int]) -> None:
    """They are those of these lines, each counted once."""
    answered = {number for number in numbers if number % 4}
    assert chunk.completed == len(answered)
    assert chunk.completed + chunk.failed == len(numbers)
    assert chunk.usage.input_tokens == sum(answered)
    assert total_cost(chunk.bills).amount == Decimal(sum(answered)) / 1_000_000


class Workers(RuleBasedStateMachine):
    """Workers that finish lines, write their chunk now and then, and die at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(log_segments, "_MOST_SEGMENTS", 4)
        self.patch.setattr(log_segments, "_JOINED_AT_ONCE", 2)
        self.patch.setattr(chunk_runs, "_WORTH_NOTING_BYTES", 300)
        self.patch.setattr(log_segments, "_LARGE_BYTES", 2000)
        self.patch.setattr(chunk_runs, "RUN_BYTES", 700)
        self.objects, _ = a_store()
        self.chunk = sample_chunk(lines=LINES)
        self.runs = ChunkRuns(self.chunk, self.objects)
        self.kept: set[int] = set()
        self.known = b""

    def teardown(self) -> None:
        chunk = with_outcomes(self.chunk, self.objects)
        assert set(numbers_in(self.objects, chunk.log)) == self.kept
        check_figures(chunk, self.kept)
        rows = [content(self.objects, [run]).splitlines() for run in chunk.runs]
        assert all(run == sorted(run) for run in rows)
        assert sorted(chain(*rows)) == sorted(content(self.objects, chunk.log).splitlines())
        self.patch.undo()

    @rule(numbers=st.sets(st.integers(1, LINES), min_size=1, max_size=6))
    def finish(self, numbers: set[int]) -> None:
        self.runs.add([finished(number) for number in numbers])
        self.kept |= numbers

    @rule(numbers=st.sets(st.integers(1, LINES), min_size=1, max_size=6))
    def die_before_it_is_known_what_was_written(self, numbers: set[int]) -> None:
        content = b"".join(finished(number).row for number in numbers)
        self.objects.put(f"{PREFIX}{len(self.known)}-{min(numbers)}", content)
        self.kept |= numbers
        self.runs = ChunkRuns(self.chunk, self.objects)

    @rule()
    def write_the_chunk(self) -> None:
        self.runs.join()
        self.chunk = self.runs.book(self.chunk)

    @rule()
    def clear(self) -> None:
        self.write_the_chunk()
        self.runs.clear()

    @rule()
    def join_and_die(self) -> None:
        self.runs.join()
        self.runs = ChunkRuns(self.chunk, self.objects)

    @precondition(lambda self: not self.runs.is_sorted)
    @rule()
    def sort(self) -> None:
        self.runs.sort()

    @rule()
    def die(self) -> None:
        self.runs = ChunkRuns(self.chunk, self.objects)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.runs.numbers) == self.kept

    @invariant()
    def a_written_log_only_grows_and_has_each_line_once(self) -> None:
        log = content(self.objects, self.chunk.log)
        assert log.startswith(self.known)
        self.known = log
        numbers = numbers_in(self.objects, self.chunk.log)
        assert len(numbers) == len(set(numbers))
        check_figures(self.chunk, set(numbers))


Workers.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWorkers = Workers.TestCase


def test_many_small_segments_become_few_and_a_byte_is_copied_a_few_times() -> None:
    objects, s3 = a_store()
    chunk = sample_chunk(lines=2000)
    runs = ChunkRuns(chunk, objects)
    for number in range(1, 2001):
        runs.add([finished(number)])
        runs.join()
        chunk = runs.book(chunk)
        runs.clear()
        assert len(chunk.log) <= 64
    assert numbers_in(objects, chunk.log) == list(range(1, 2001))
    assert sum(s3.read.values()) < 12 * sum(segment.size for segment in chunk.log)
    assert [key for key in s3.objects if key.startswith(PREFIX)] == [
        key for key in s3.objects if key in {segment.key for segment in chunk.log}
    ]


def test_large_segments_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_segments, "_LARGE_BYTES", 500)
    objects, s3 = a_store()
    runs = ChunkRuns(sample_chunk(lines=200), objects)
    for number in range(1, 201):
        runs.add([answer(number, padding=500)])
        runs.join()
    assert s3.read == {}


def test_who_goes_on_reads_of_the_log_what_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_runs, "_WORTH_NOTING_BYTES", 1000)
    objects, s3 = a_store()
    chunk = sample_chunk(lines=LINES)
    for first in range(1, LINES, 10):
        runs = ChunkRuns(chunk, objects)
        assert len(runs.numbers) == first - 1
        runs.add([finished(number) for number in range(first, first + 10)])
        chunk = runs.book(chunk)
    read = sum(size for key, size in s3.read.items() if key.startswith(PREFIX))
    assert read <= sum(segment.size for segment in chunk.log)


def test_a_run_takes_no_more_than_its_bytes_but_for_a_row_that_is_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunk_runs, "RUN_BYTES", 1000)
    objects, _ = a_store()
    runs = ChunkRuns(sample_chunk(lines=40), objects)
    paddings = {number: 3000 if number == 7 else 100 for number in range(40, 0, -1)}
    runs.add([answer(number, padding) for number, padding in paddings.items()])
    chunk = sample_chunk(lines=40)
    while not runs.is_sorted:
        runs.sort()
    found = [numbers_in(objects, [run]) for run in runs.book(chunk).runs]
    assert sorted(chain(*found)) == list(range(1, 41))
    assert all(run == sorted(run) for run in found)
    assert [7] in found
    assert all(len(run) == 1 or len(run) > 2 for run in found)
    assert max(run.size for run in runs.book(chunk).runs if run.size < 3000) <= 1000


def test_a_worker_that_was_overtaken_changes_nothing_that_its_successor_wrote() -> None:
    objects, _ = a_store()
    chunk = sample_chunk(lines=2)
    late, successor = ChunkRuns(chunk, objects), ChunkRuns(chunk, objects)
    late.add([answer(1)])
    successor.add([answer(2)])
    successor.sort()
    chunk = successor.book(chunk)
    late.sort()
    late.join()
    assert numbers_in(objects, chunk.runs) == numbers_in(objects, chunk.log) == [2]


# ---- What a request has answered that a batch goes on with


def priced(*_: Any) -> Cost:
    return Cost(amount=Decimal("0.25"), synchronous=Decimal("0.5"))


def given(number: int, model: str = "gpt-5-mini") -> bytes:
    body = {"model": model, "usage": {"prompt_tokens": 3}}
    details = {"provider": "openai", "lane": "direct"}
    return to_row(
        Outcome(number, Kind.ANSWERED, {"status_code": 200, "body": body}, details=details)
    )


def test_a_chunk_begins_with_the_answers_it_is_given_and_with_what_they_cost() -> None:
    objects, _ = a_store()
    chunk = begun(sample_chunk(), [given(1), failure(2).row, given(5)], objects, priced)
    assert (chunk.completed, chunk.failed) == (2, 1)
    (bill,) = chunk.bills
    assert (bill.key, bill.lines) == (("gpt-5-mini", "openai", "direct"), 2)
    assert bill.cost == Cost(amount=Decimal("0.5"), synchronous=Decimal(1))
    runs = ChunkRuns(chunk, objects)
    assert set(runs.numbers) == {1, 2, 5}
    assert runs.book(chunk).bills == chunk.bills


def test_an_answer_of_a_fallback_has_its_price_and_one_of_nobody_known_has_none() -> None:
    objects, _ = a_store()
    first = sample_chunk().deployment
    chunk = sample_chunk(fallbacks=[first.model_copy(update={"name": "other"})])
    chunk = begun(chunk, [given(1, "other"), given(2, "stranger")], objects, priced)
    assert {bill.model: bill.cost.amount for bill in chunk.bills} == {
        "other": Decimal("0.25"),
        "stranger": None,
    }


def test_what_a_chunk_begins_with_is_the_same_when_it_is_written_again() -> None:
    objects, s3 = a_store()
    once = begun(sample_chunk(), [given(1)], objects, priced)
    assert begun(sample_chunk(), [given(1)], objects, priced) == once
    assert len(s3.objects) == 1


def segments(*sizes: int) -> list[Segment]:
    return [Segment(key=f"{place}", size=size) for place, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [
        ([], (0, 0)),
        ([1, 1, 1, 1], (0, 0)),
        ([1, 1, 1, 1, 1], (0, 5)),
        ([9, 1, 1, 1, 1], (1, 5)),
        ([100, 1, 1, 1, 1], (0, 0)),
        ([100, 1, 1, 1, 1, 1], (1, 6)),
        ([9, 5, 3, 1, 1], (3, 5)),
        ([30, 30, 60, 30, 30], (0, 3)),
        ([200, 99, 2, 1, 1, 1], (1, 3)),
    ],
)
def test_of_too_many_small_segments_those_are_joined_that_cost_least(
    sizes: list[int], joined: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_segments, "_MOST_SEGMENTS", 4)
    monkeypatch.setattr(log_segments, "_JOINED_AT_ONCE", 2)
    monkeypatch.setattr(log_segments, "_LARGE_BYTES", 100)
    assert log_segments.to_join(segments(*sizes)) == joined
