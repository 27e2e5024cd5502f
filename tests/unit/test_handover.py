"""What a handed-over request leaves in the stores, also where a write fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nightmail import wiring
from nightmail.api.batches import Batches, once
from nightmail.api.handover import Handover
from nightmail.batch import Batch
from nightmail.errors import StorageUnavailable, TooLarge
from nightmail.modes.asked import ManyPrompts
from nightmail.modes.requests import parse_many
from nightmail.stores.batches import BatchStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.table import Table

from tests.unit.calling import said
from tests.unit.samples import NOW

BODY = {"model": "gpt-4o", "messages": [said("One?"), said("Two?")]}


class Unwritten(BatchStore):
    """A table that takes no batch."""

    def create(self, batch: Batch) -> None:
        raise StorageUnavailable("The table did not answer.")


class Overtaken(BatchStore):
    """Another request with the same key writes its batch just before."""

    def __init__(self, table: Table, other: Callable[[], object]) -> None:
        super().__init__(table)
        self._other = other

    def create_once(self, batch: Batch, key: str, request_digest: str, now: int) -> None:
        self._other()
        super().create_once(batch, key, request_digest, now)


class Unwritable(ObjectStore):
    """A bucket that takes no object."""

    def writer(self, *_: Any, **__: Any) -> Any:
        raise StorageUnavailable("The bucket did not answer.")


def handover(
    batches: BatchStore | None = None,
    objects: ObjectStore | None = None,
    most_lines: int = 1000,
    most_bytes: int = 1_000_000,
) -> Handover:
    return Handover(
        Batches(batches or wiring.batches(), wiring.parts(), lambda: NOW),
        wiring.files(),
        objects or wiring.objects(),
        lambda: NOW,
        most_lines=most_lines,
        most_bytes=most_bytes,
    )


@pytest.fixture
def request_of_two(aws: None) -> ManyPrompts:
    return parse_many(BODY)


def file_ids() -> list[str]:
    return [file.id for file in wiring.files().list("alice", NOW)]


def test_a_batch_that_could_not_be_written_leaves_no_file(request_of_two: ManyPrompts) -> None:
    with pytest.raises(StorageUnavailable):
        handover(Unwritten(wiring.table())).begin("alice", request_of_two)

    assert file_ids() == []
    assert list(wiring.batches().list("alice")) == []


def test_a_file_that_could_not_be_written_leaves_no_record_and_no_batch(
    request_of_two: ManyPrompts,
) -> None:
    objects = Unwritable(wiring._s3(), wiring.settings().bucket_name)
    with pytest.raises(StorageUnavailable):
        handover(objects=objects).begin("alice", request_of_two)

    assert file_ids() == []
    assert list(wiring.batches().list("alice")) == []


def test_of_two_requests_with_one_key_the_later_leaves_nothing(request_of_two: ManyPrompts) -> None:
    key = once("order-7", BODY)
    made: list[dict[str, Any]] = []

    def other() -> None:
        if not made:
            made.append(handover().begin("alice", request_of_two, key))

    answer = handover(Overtaken(wiring.table(), other)).begin("alice", request_of_two, key)

    assert answer["id"] == made[0]["id"]
    assert file_ids() == [made[0]["input_file_id"]]


def test_the_size_is_that_of_the_file(request_of_two: ManyPrompts) -> None:
    begun = handover().begin("alice", request_of_two)

    file = wiring.files().get("alice", begun["input_file_id"], NOW)
    content = b"".join(wiring.objects().chunks(file.segments))
    assert handover().size(request_of_two) == file.bytes == len(content)


@pytest.mark.parametrize(("lines", "size"), [(1, 1_000_000), (1000, 150)])
def test_more_than_a_batch_takes_is_refused(
    request_of_two: ManyPrompts, lines: int, size: int
) -> None:
    with pytest.raises(TooLarge) as raised:
        handover(most_lines=lines, most_bytes=size).size(request_of_two)

    assert raised.value.param == "messages"
