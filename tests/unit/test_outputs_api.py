"""`GET /batches/{id}/output`, through the function that serves it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from nightmail.batch import BatchStatus
from nightmail.chunk import ChunkState
from nightmail.file import StoredFile
from nightmail.line_index import IndexRow, to_index_row
from nightmail.outcome import Kind, Outcome, result_line, to_row
from nightmail.part import Ending
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore

from functions.batches.handler import handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_chunk

CURSOR = "x-nightmail-cursor"
INCOMPLETE = "x-nightmail-incomplete"
LAMBDA_BYTES = 6_000_000


def read(owner: str = "alice", batch_id: str = BATCH_ID, **query: str) -> Answer:
    return ask(handler, proxy_event("GET", f"/batches/{batch_id}/output", query=query, owner=owner))


def ids(answer: Answer) -> list[str]:
    return [json.loads(line)["custom_id"] for line in answer.content.splitlines()]


def refused(answer: Answer, status: int, param: str | None = None) -> str:
    assert (answer.status, answer.error["param"]) == (status, param)
    message: str = answer.error["message"]
    return message


def row(number: int, text: str = "", kind: Kind = Kind.ANSWERED) -> bytes:
    status = 200 if kind is Kind.ANSWERED else 400
    return to_row(Outcome(number, kind, response={"status_code": status, "body": {"text": text}}))


class Running:
    """A batch of one chunk, whose lines are called `line-1` and so on."""

    def __init__(
        self, batches: BatchStore, parts: PartStore, objects: ObjectStore, lines: int
    ) -> None:
        self._batches = batches
        self._parts = parts
        self._objects = objects
        batches.create(sample_batch(status="in_progress", chunks=1, counts={"total": lines}))
        rows = [
            IndexRow(number, 0, 0, orjson.dumps(f"line-{number}")) for number in range(1, lines + 1)
        ]
        index = objects.put("work/index", b"".join(map(to_index_row, rows)))
        parts.plan(sample_chunk(lines=lines, index=[index]))

    def answer(self, *rows: bytes) -> None:
        """More outcomes come in."""
        (chunk,) = self._parts.of_batch(self._batches.get("alice", BATCH_ID))
        log = self._objects.put(f"work/log-{len(chunk.log)}", b"".join(rows))  # type: ignore[attr-defined]
        done = chunk.completed + len(rows)
        self._parts.save(chunk.changed(log=[*chunk.log, log], completed=done))  # type: ignore[attr-defined]

    def end(self) -> None:
        """All lines have an outcome, and the batch has ended."""
        (chunk,) = self._parts.of_batch(self._batches.get("alice", BATCH_ID))
        self._parts.save(chunk.changed(state=ChunkState.DONE, ending=Ending.COMPLETED))
        batch = self._batches.get("alice", BATCH_ID)
        self._batches.save(batch.model_copy(update={"status": BatchStatus.COMPLETED}))


@pytest.fixture
def running(batches: BatchStore, parts: PartStore, objects: ObjectStore) -> Running:
    return Running(batches, parts, objects, 5)


def test_what_is_there_of_a_running_batch_is_answered_as_json_lines(running: Running) -> None:
    running.answer(row(4), row(2, kind=Kind.REFUSED))
    answer = read()

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers[INCOMPLETE] == "true"
    assert ids(answer) == ["line-4", "line-2"]
    first = json.loads(answer.content.splitlines()[0])
    assert first == {
        "id": f"batch_req_{BATCH_ID[-20:]}{4:012x}",
        "custom_id": "line-4",
        "response": {"status_code": 200, "body": {"text": ""}},
        "error": None,
    }


def test_the_cursor_goes_on_behind_what_was_read_until_there_is_no_more(running: Running) -> None:
    running.answer(row(4), row(2))
    first = read(limit="1")
    second = read(limit="1", after=first.headers[CURSOR])
    nothing_yet = read(after=second.headers[CURSOR])
    running.answer(row(1), row(3), row(5))
    running.end()
    rest = read(after=nothing_yet.headers[CURSOR])

    assert [ids(answer) for answer in (first, second, nothing_yet)] == [["line-4"], ["line-2"], []]
    assert all(INCOMPLETE in answer.headers for answer in (first, second, nothing_yet))
    assert ids(rest) == ["line-1", "line-3", "line-5"]
    assert INCOMPLETE not in rest.headers
    behind = read(after=rest.headers[CURSOR])
    assert (ids(behind), INCOMPLETE in behind.headers) == ([], False)


def test_a_page_of_an_ended_batch_that_is_not_the_last_is_incomplete(running: Running) -> None:
    running.answer(*(row(number) for number in range(1, 6)))
    running.end()
    pages = [read(limit="3")]
    pages.append(read(limit="3", after=pages[0].headers[CURSOR]))

    assert [INCOMPLETE in page.headers for page in pages] == [True, False]
    assert [len(ids(page)) for page in pages] == [3, 2]


@pytest.mark.parametrize("status", ["validating", "failed", "cancelled"])
def test_a_batch_without_a_line_has_an_empty_page(status: str, batches: BatchStore) -> None:
    batches.create(sample_batch(status=status))
    answer = read()

    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers[CURSOR]
    assert (INCOMPLETE in answer.headers) is (status == "validating")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "10001"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"merged": "yes"}, "merged"),
        ({"merged": "True"}, "merged"),
        ({"after": "nonsense"}, "after"),
        ({"after": "🦉" * 1000}, "after"),
        ({"after": "9" * 5000}, "after"),
    ],
)
def test_a_wrong_parameter_is_refused(query: dict[str, str], param: str, running: Running) -> None:
    refused(read(**query), 400, param)


def test_a_cursor_of_another_batch_is_refused(running: Running, batches: BatchStore) -> None:
    other = "batch_" + "0" * 31 + "2"
    batches.create(sample_batch(id=other, status="in_progress"))
    running.answer(row(1))

    refused(read(batch_id=other, after=read().headers[CURSOR]), 400, "after")


def test_an_unknown_batch_and_another_owners_answer_the_same(running: Running) -> None:
    for answer in (read(owner="bob"), read(batch_id="batch_x"), read(batch_id="x" * 5000)):
        assert refused(answer, 404, "batch_id").startswith("No batch found with id '")


@pytest.mark.parametrize("text", ["é" * 100_000, '"' * 100_000, "\\" * 100_000])
def test_a_page_of_much_text_fits_into_an_answer(
    text: str, batches: BatchStore, parts: PartStore, objects: ObjectStore
) -> None:
    running = Running(batches, parts, objects, 40)
    running.answer(*(row(number, text) for number in range(1, 41)))
    running.end()
    found: list[str] = []
    answer = read()
    while True:
        assert answer.status == 200
        assert len(json.dumps(answer.content.decode())) < LAMBDA_BYTES
        found += ids(answer)
        if INCOMPLETE not in answer.headers:
            break
        answer = read(after=answer.headers[CURSOR])

    assert found == [f"line-{number}" for number in range(1, 41)]


def test_a_line_too_big_for_an_answer_is_a_redirect_that_has_the_cursor(
    batches: BatchStore, parts: PartStore, objects: ObjectStore
) -> None:
    running = Running(batches, parts, objects, 2)
    running.answer(row(1, "x" * 6_000_000), row(2))
    answer = read()

    assert (answer.status, answer.content) == (303, b"")
    assert "/answers/alice/" in answer.headers["location"]
    assert answer.headers[INCOMPLETE] == "true"
    assert ids(read(after=answer.headers[CURSOR])) == ["line-2"]


def test_lines_that_are_no_longer_kept_are_told_so(running: Running, objects: ObjectStore) -> None:
    running.answer(row(1))
    objects.delete(["work/log-0"])
    while_running = read()
    running.end()

    assert (while_running.status, while_running.headers["retry-after"]) == (503, "2")
    assert "output_file_id" in refused(read(), 404, "batch_id")


# ---- A batch and its retries as one


class Family:
    """Batches of three lines in all, with their result files; `a` is the parent."""

    def __init__(self, batches: BatchStore, files: FileStore, objects: ObjectStore) -> None:
        self._batches = batches
        self._files = files
        self._objects = objects

    def add(
        self,
        name: str,
        answered: list[int],
        failed: list[int],
        *,
        retry_of: str = "",
        **changes: Any,
    ) -> str:
        """The id of a batch, completed unless told otherwise."""
        batch_id = f"batch_{name * 32}"
        parent = {"retry_of": f"batch_{retry_of * 32}"} if retry_of else {}
        found = {
            "output_file_id": self._file(batch_id, Kind.ANSWERED, answered),
            "error_file_id": self._file(batch_id, Kind.REFUSED, failed),
        }
        fields = {"id": batch_id, "status": "completed", **found, **parent, **changes}
        self._batches.create(sample_batch(**fields))
        return batch_id

    def end(self, name: str, answered: list[int], failed: list[int]) -> None:
        """A batch that was running has completed."""
        batch = self._batches.get("alice", f"batch_{name * 32}")
        found = {
            "status": BatchStatus.COMPLETED,
            "output_file_id": self._file(batch.id, Kind.ANSWERED, answered),
            "error_file_id": self._file(batch.id, Kind.REFUSED, failed),
        }
        self._batches.save(batch.model_copy(update=found))

    def _file(self, batch_id: str, kind: Kind, numbers: list[int]) -> str | None:
        if not numbers:
            return None
        lines = (
            result_line(batch_id, number, orjson.dumps(f"line-{number}"), row(number, kind=kind))
            for number in numbers
        )
        content = b"".join(lines)
        file_id = f"file-{batch_id[-10:]}{kind.value}"
        key = f"files/alice/{file_id}"
        self._files.create(
            StoredFile(
                id=file_id,
                owner="alice",
                bytes=len(content),
                created_at=NOW,
                filename="x.jsonl",
                purpose="batch_output",
                segments=[self._objects.put(key, content)],
            )
        )
        return file_id


@pytest.fixture
def family(batches: BatchStore, files: FileStore, objects: ObjectStore) -> Family:
    return Family(batches, files, objects)


def told(answer: Answer) -> list[tuple[str, int, str]]:
    """Of each line its custom_id, its status, and the name of the batch that it is from."""
    lines = [json.loads(line) for line in answer.content.splitlines()]
    return [
        (
            line["custom_id"],
            line["response"]["status_code"],
            line["id"].removeprefix("batch_req_")[0],
        )
        for line in lines
    ]


def test_a_batch_is_merged_with_its_retries_and_theirs_in_the_order_of_the_input(
    family: Family,
) -> None:
    parent = family.add("a", [3], [1, 2, 4])
    family.add("b", [2], [1, 4], retry_of="a")
    family.add("c", [4], [1], retry_of="b")
    answer = read(batch_id=parent, merged="true")

    assert INCOMPLETE not in answer.headers
    assert told(answer) == [
        ("line-1", 400, "c"),
        ("line-2", 200, "b"),
        ("line-3", 200, "a"),
        ("line-4", 200, "c"),
    ]


def test_an_answer_stays_whatever_a_later_retry_says(family: Family) -> None:
    parent = family.add("a", [], [1])
    family.add("b", [1], [], retry_of="a")
    family.add("c", [], [1], retry_of="b")

    assert told(read(batch_id=parent, merged="true")) == [("line-1", 200, "b")]


def test_merged_pages_follow_each_other(family: Family) -> None:
    parent = family.add("a", [1, 3], [2])
    family.add("b", [2], [], retry_of="a")
    first = read(batch_id=parent, merged="true", limit="2")
    rest = read(batch_id=parent, merged="true", limit="2", after=first.headers[CURSOR])

    assert [ids(page) for page in (first, rest)] == [["line-1", "line-2"], ["line-3"]]
    assert [INCOMPLETE in page.headers for page in (first, rest)] == [True, False]


def test_what_a_running_retry_may_still_answer_is_waited_for(family: Family) -> None:
    parent = family.add("a", [1, 3], [2, 4])
    family.add("b", [], [], retry_of="a", status="in_progress")
    before = read(batch_id=parent, merged="true")
    still = read(batch_id=parent, merged="true", after=before.headers[CURSOR])
    family.end("b", [2], [4])
    after = read(batch_id=parent, merged="true", after=still.headers[CURSOR])

    assert [ids(page) for page in (before, still)] == [["line-1"], []]
    assert all(INCOMPLETE in page.headers for page in (before, still))
    assert told(after) == [("line-2", 200, "b"), ("line-3", 200, "a"), ("line-4", 400, "b")]
    assert INCOMPLETE not in after.headers


def test_a_retry_behind_one_that_ran_nothing_is_waited_for(family: Family) -> None:
    parent = family.add("a", [1], [2])
    family.add("b", [], [], retry_of="a", status="failed")
    family.add("c", [], [], retry_of="b", status="in_progress")
    running = read(batch_id=parent, merged="true")
    family.end("c", [2], [])
    rest = read(batch_id=parent, merged="true", after=running.headers[CURSOR])

    assert (ids(running), INCOMPLETE in running.headers) == (["line-1"], True)
    assert (told(rest), INCOMPLETE in rest.headers) == ([("line-2", 200, "c")], False)


def test_a_batch_without_retries_is_its_two_files_as_one(family: Family) -> None:
    parent = family.add("a", [1, 3], [2])

    assert ids(read(batch_id=parent, merged="true")) == ["line-1", "line-2", "line-3"]
    assert ids(read(batch_id=parent, merged="false")) == []


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
def test_a_batch_that_has_not_ended_cannot_be_merged(status: str, batches: BatchStore) -> None:
    batches.create(sample_batch(status=status))

    assert f"status '{status}'" in refused(read(merged="true"), 409)


def test_a_result_file_that_is_gone_is_told_so(family: Family, files: FileStore) -> None:
    parent = family.add("a", [1], [])
    files.delete("alice", next(iter(files.list("alice", NOW))).id)

    assert "gone" in refused(read(batch_id=parent, merged="true"), 404, "batch_id")
