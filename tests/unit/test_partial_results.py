"""What is there of a batch while it runs: each line comes once, whatever happens between two pages."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from nightmail.batch import Batch, BatchStatus
from nightmail.chunk import Chunk, ChunkState
from nightmail.errors import InvalidRequest, NotFound
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, number_in_result, result_line, to_row
from nightmail.part import Ending, Part
from nightmail.results import partial_results
from nightmail.results.owed import Owed
from nightmail.results.page import Page
from nightmail.results.partial_results import read_on
from nightmail.shard import Shard, ShardState
from nightmail.stores.objects import ObjectStore

from local.simulator.client import SimulatorClient
from tests.unit.chunk_work import CALLS, planned
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_chunk, sample_shard
from tests.unit.world import request, requests

MANY = 10**9


def row(number: int) -> bytes:
    kind = Kind.REFUSED if number % 5 == 0 else Kind.ANSWERED
    return to_row(Outcome(number, kind, {"status_code": 200, "body": "x" * (number % 7)}))


def custom_id(number: int) -> bytes:
    return b'"custom \\" %d"' % number


def told(numbers: Sequence[int]) -> list[bytes]:
    """The lines of a result file that have these rows."""
    return [result_line(BATCH_ID, number, custom_id(number), row(number)) for number in numbers]


class Desk:
    """Parts of one batch in a bucket of their own, and somebody who reads on."""

    def __init__(self) -> None:
        self.s3 = MemoryS3()
        self.objects = ObjectStore(cast(Any, self.s3), "bucket")
        self.batch: Batch = sample_batch(status=BatchStatus.IN_PROGRESS)
        self.parts: dict[str, Part] = {}
        self.cursor: str | None = None
        self.read: list[bytes] = []
        self._written = 0

    def put(self, content: bytes) -> Segment:
        self._written += 1
        return self.objects.put(f"object-{self._written}", content)

    def index(self, numbers: Sequence[int]) -> list[Segment]:
        rows = (b"%d 0 9 %b\n" % (number, custom_id(number)) for number in sorted(numbers))
        return [self.put(b"".join(rows))] if numbers else []

    def add(self, part: Part, numbers: Sequence[int]) -> None:
        self.save(part.changed(lines=len(numbers), index=self.index(numbers)))

    def save(self, part: Part) -> None:
        self.parts[f"{part.track}.{part.number}.{part.round}"] = part

    def log(self, chunk: Chunk, numbers: Sequence[int]) -> Chunk:
        """The chunk with so many more outcomes."""
        segment = self.put(b"".join(map(row, numbers)))
        grown = chunk.changed(log=[*chunk.log, segment], completed=chunk.completed + len(numbers))
        self.save(grown)
        return grown

    def sorted_runs(self, chunk: Chunk) -> list[Segment]:
        rows = b"".join(self.objects.chunks(chunk.log)).splitlines(keepends=True)
        return [self.put(b"".join(sorted(rows)))] if rows else []

    def page(self, limit: int = 1000, most_bytes: int = MANY) -> Page:
        parts = [self.parts[name] for name in sorted(self.parts)]
        page = read_on(self.batch, parts, self.cursor, limit, most_bytes, self.objects)
        assert len(page.lines) <= limit
        assert len(page.lines) <= 1 or sum(map(len, page.lines)) <= most_bytes
        self.cursor = page.cursor
        self.read += page.lines
        return page

    def read_to_the_end(self, limit: int = 3) -> None:
        while not (page := self.page(limit)).is_last:
            assert page.lines


def done(desk: Desk, chunk: Chunk) -> Chunk:
    """The chunk when all its lines have outcomes."""
    over = chunk.changed(
        state=ChunkState.DONE, ending=Ending.COMPLETED, runs=desk.sorted_runs(chunk)
    )
    desk.save(over)
    return over


def collected(desk: Desk, shard: Shard, *runs: Sequence[int]) -> Shard:
    """The shard when it is over, with outcomes of these lines."""
    over = shard.changed(
        state=ShardState.COLLECTED,
        ending=Ending.COMPLETED,
        runs=[desk.put(b"".join(row(number) for number in sorted(run))) for run in runs],
    )
    desk.save(over)
    return over


def the(desk: Desk, name: str) -> Any:
    return desk.parts[name]


# ---- Chunks


def test_a_chunks_lines_come_as_they_were_answered_and_each_once() -> None:
    desk = Desk()
    desk.add(sample_chunk(), range(1, 9))
    assert desk.page().lines == []
    chunk = desk.log(the(desk, "chunk.1.0"), [3, 1])
    assert desk.page().lines == told([3, 1])
    chunk = desk.log(chunk, [8])
    chunk = desk.log(chunk, [2, 4])
    page = desk.page(limit=2)
    assert (page.lines, page.is_last) == (told([8, 2]), False)
    page = desk.page()
    assert (page.lines, page.is_last) == (told([4]), True)
    done(desk, desk.log(chunk, [7, 5, 6]))
    assert desk.page().lines == told([7, 5, 6])
    assert desk.page().lines == []


def test_a_log_whose_segments_were_joined_is_read_on_from_the_same_place() -> None:
    desk = Desk()
    desk.add(sample_chunk(), range(1, 9))
    chunk = desk.log(desk.log(the(desk, "chunk.1.0"), [5, 6]), [7])
    desk.page(limit=2)
    joined = desk.put(b"".join(desk.objects.chunks(chunk.log)))
    chunk = chunk.changed(log=[joined])
    desk.log(chunk, [8])
    assert desk.page().lines == told([7, 8])


@pytest.mark.parametrize("ending", [Ending.CANCELLED, Ending.EXPIRED, Ending.LOST])
def test_lines_of_a_stopped_chunk_that_were_not_answered_come_last_with_their_error(
    ending: Ending,
) -> None:
    desk = Desk()
    desk.add(sample_chunk(), range(1, 7))
    chunk = desk.log(the(desk, "chunk.1.0"), [4, 2])
    stopped = chunk.stopped(ending, []).changed(runs=desk.sorted_runs(chunk))
    desk.save(stopped)
    owed = [result_line(BATCH_ID, n, custom_id(n), Owed(stopped).row(n)) for n in (1, 3, 5, 6)]
    for limit in (1, 1, 1, 1, 2):
        desk.page(limit)
    assert desk.read == [*told([4, 2]), *owed]
    assert desk.page().is_last


# ---- Shards


def test_a_shard_is_read_in_the_order_of_its_lines_when_it_is_over() -> None:
    desk = Desk()
    desk.add(sample_shard(), range(1, 8))
    running = the(desk, "shard.1.0").changed(runs=[desk.put(row(3))])
    desk.save(running)
    assert desk.page().lines == []
    shard = collected(desk, running, [1, 5, 7], [2, 3, 4])
    owed = result_line(BATCH_ID, 6, custom_id(6), Owed(shard).row(6))
    for limit in (2, 2, 1, 1, 1):
        desk.page(limit)
    assert desk.read == [*told([1, 2, 3, 4, 5]), owed, *told([7])]
    assert desk.page().is_last


def test_a_line_that_passed_on_comes_from_the_part_that_it_passed_to() -> None:
    desk = Desk()
    desk.add(sample_shard(), range(1, 6))
    left = the(desk, "shard.1.0").changed(lines=3, index=desk.index([1, 2, 5]))
    collected(desk, left, [1, 2, 3, 4, 5])
    successor = sample_chunk(track="shard", round=1)
    desk.add(successor, [3, 4])
    assert desk.page().lines == told([1, 2, 5])
    done(desk, desk.log(the(desk, "shard.1.1"), [4, 3]))
    assert desk.page().lines == told([4, 3])


# ---- Whatever happens


NUMBERS = range(1, 41)
LIMITS = st.integers(1, 9)
BYTES = st.sampled_from([1, 300, 1000, MANY])


class Life(RuleBasedStateMachine):
    """Two chunks and two shards get on in any order while somebody reads on with pages of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.wanted: list[bytes] = []
        for number in (1, 2):
            self.desk.add(sample_chunk(number=number), NUMBERS[number - 1 :: 4])
            self.desk.add(sample_shard(number=number), NUMBERS[number + 1 :: 4])
        self.left = {
            "chunk.1.0": list(NUMBERS[0::4]),
            "chunk.2.0": list(NUMBERS[1::4]),
            "shard.1.0": list(NUMBERS[2::4]),
            "shard.2.0": list(NUMBERS[3::4]),
        }

    def running(self, kind: type[Part]) -> list[str]:
        parts = self.desk.parts.items()
        return [name for name, part in parts if isinstance(part, kind) and not part.is_over]

    @rule(limit=LIMITS, most_bytes=BYTES)
    def read(self, limit: int, most_bytes: int) -> None:
        self.desk.page(limit, most_bytes)

    @precondition(lambda self: self.running(Chunk))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.running(Chunk)))
        if not self.left[name]:
            return
        some = data.draw(st.lists(st.sampled_from(self.left[name]), min_size=1, unique=True))
        self.desk.log(the(self.desk, name), some)
        self.left[name] = [number for number in self.left[name] if number not in some]
        self.wanted += told(some)

    @precondition(lambda self: self.running(Chunk))
    @rule(data=st.data())
    def end_a_chunk(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.running(Chunk)))
        chunk = the(self.desk, name)
        if not self.left[name]:
            done(self.desk, chunk)
            return
        runs = self.desk.sorted_runs(chunk)
        stopped = chunk.stopped(Ending.CANCELLED, []).changed(runs=runs)
        self.desk.save(stopped)
        self.wanted += self.owed(stopped, self.left[name])

    @precondition(lambda self: self.running(Shard))
    @rule(data=st.data(), passes_on=st.booleans())
    def end_a_shard(self, data: st.DataObject, passes_on: bool) -> None:
        name = data.draw(st.sampled_from(self.running(Shard)))
        shard = the(self.desk, name)
        numbers = self.left[name]
        answered = data.draw(st.lists(st.sampled_from(numbers), unique=True))
        others = [number for number in numbers if number not in answered]
        if passes_on and others:
            chunk = sample_chunk(track="shard", number=shard.number, round=1)
            self.desk.add(chunk, others)
            self.left[f"shard.{shard.number}.1"] = others
            shard = shard.changed(lines=len(answered), index=self.desk.index(answered))
            others = []
        over = collected(self.desk, shard, answered[::2], answered[1::2])
        self.wanted += told(answered) + self.owed(over, others)

    def owed(self, part: Part, numbers: Sequence[int]) -> list[bytes]:
        owed = Owed(part)
        return [result_line(BATCH_ID, n, custom_id(n), owed.row(n)) for n in numbers]

    def teardown(self) -> None:
        self.desk.read_to_the_end()
        assert sorted(self.desk.read) == sorted(self.wanted)


Life.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase


def test_all_parts_of_a_large_batch_leave_a_short_cursor() -> None:
    desk = Desk()
    for number in range(1, 400):
        desk.add(sample_chunk(number=number), [number])
        done(desk, desk.log(the(desk, f"chunk.{number}.0"), [number]))
    desk.add(sample_shard(), range(400, 500))
    collected(desk, the(desk, "shard.1.0"), *([number] for number in range(400, 500)))
    desk.read_to_the_end(limit=50)
    assert len(desk.read) == 499
    assert desk.cursor
    assert len(desk.cursor) < 150


def test_of_many_running_chunks_so_many_are_begun_as_a_cursor_may_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partial_results, "_MOST_BEGUN", 3)
    desk = Desk()
    for number in range(1, 9):
        desk.add(sample_chunk(number=number), [number, number + 10])
        desk.log(the(desk, f"chunk.{number}.0"), [number])
    page = desk.page()
    assert (page.lines, page.is_last) == (told([1, 2, 3]), False)
    for number in range(1, 9):
        done(desk, desk.log(the(desk, f"chunk.{number}.0"), [number + 10]))
    desk.read_to_the_end()
    assert sorted(map(number_in_result, desk.read)) == sorted([*range(1, 9), *range(11, 19)])


def test_a_line_that_is_longer_than_a_page_may_be_comes_alone() -> None:
    desk = Desk()
    desk.add(sample_chunk(), range(1, 4))
    desk.log(the(desk, "chunk.1.0"), [1, 2, 3])
    assert [desk.page(most_bytes=5).lines for _ in range(3)] == [told([n]) for n in (1, 2, 3)]


# ---- What is gone


def test_an_object_that_is_gone_ends_the_page_and_is_told_by_the_next() -> None:
    desk = Desk()
    for number in (1, 2):
        desk.add(sample_chunk(number=number), [number])
        desk.log(the(desk, f"chunk.{number}.0"), [number])
    desk.objects.delete([the(desk, "chunk.2.0").log[0].key])
    page = desk.page()
    assert (page.lines, page.is_last) == (told([1]), False)
    with pytest.raises(NotFound):
        desk.page()


# ---- Cursors that are none


def packed(entry: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(entry).encode())).decode()


def refused(desk: Desk, cursor: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        read_on(desk.batch, list(desk.parts.values()), cursor, 10, MANY, desk.objects)
    return raised.value


MARK = BATCH_ID[-8:]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "🦉",
        "bm90IHBhY2tlZA",
        packed([]),
        packed({"v": 1}),
        packed({"v": 2, "batch": MARK}),
        packed({"v": 1, "batch": "another1"}),
        packed({"v": 1, "batch": MARK, "logs": {"chunk.0.1": -1}}),
        packed({"v": 1, "batch": MARK, "logs": {"chunk.0.1": 5}}),
        packed({"v": 1, "batch": MARK, "done": {"chunk.0": [[1]]}}),
        packed({"v": 1, "batch": MARK, "sorted": {"part": "shard.0.1", "index": 3}}),
        packed({"v": 1, "batch": MARK, "sorted": {"part": "shard.0.1", "runs": [7]}}),
        packed({"v": 1, "batch": MARK, "sorted": {"part": "shard.0.1", "runs": [1, 2, 3]}}),
        packed({"v": 1, "batch": MARK, "x": "y" * 100_000}),
    ],
)
def test_what_is_no_cursor_of_the_batch_is_refused(cursor: str) -> None:
    desk = Desk()
    desk.add(sample_chunk(), [1, 2])
    desk.log(the(desk, "chunk.1.0"), [1])
    desk.add(sample_shard(), [3, 4])
    collected(desk, the(desk, "shard.1.0"), [3, 4])
    assert refused(desk, cursor).param == "after"


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading(cursor: str) -> None:
    desk = Desk()
    if cursor:
        refused(desk, cursor)


def test_a_cursor_that_points_behind_everything_shows_nothing() -> None:
    desk = Desk()
    desk.add(sample_chunk(), [1, 2])
    desk.log(the(desk, "chunk.1.0"), [1])
    entry = {"v": 1, "batch": MARK, "logs": {"chunk.0.1": 10**6}, "done": {"chunk.9": [[1, MANY]]}}
    desk.cursor = packed(entry)
    assert desk.page().lines == []


# ---- A whole life


@pytest.mark.parametrize("lines_a_run", [1, 3])
def test_what_was_read_while_a_batch_ran_is_what_its_files_have(
    simulator: SimulatorClient, lines_a_run: int
) -> None:
    simulator.behave({"kind": "status", "status": 403, "match": {**CALLS, "text": "Q4?"}})
    lines = [*requests(7), request(8, "[[fail:400]]")]
    world = planned(simulator, lines, chunk_lines=3, concurrency=2)
    world.lines_a_run = lines_a_run
    desk = Desk()
    desk.objects = world.stores.objects
    steps = [("RunChunk", number) for number in (1, 2, 3)]
    while steps:
        step, number = steps.pop(0)
        if world.step(step, number)["next"] == "more":
            steps.append((step, number))
        desk.batch, desk.parts = world.batch, {part.name: part for part in world.parts}
        desk.page(limit=2)
    while world.step("FinalizeBatch")["next"] == "more":
        pass
    desk.batch, desk.parts = world.batch, {part.name: part for part in world.parts}
    desk.read_to_the_end()
    output, errors = world.results().raw
    assert sorted(desk.read) == sorted([*output.splitlines(True), *errors.splitlines(True)])
    assert len(desk.read) == len(lines)
    assert world.now >= NOW
