"""Batches in the table: conditions, keys that make a create happen once, lists."""

from __future__ import annotations

import pytest
from nightmail.batch import BatchStatus, InboxOrigin
from nightmail.errors import NotFound, WriteConflict
from nightmail.stores.batches import IDEMPOTENCY_SECONDS, BatchStore

from tests.unit.samples import BATCH_ID, NOW, sample_batch


def test_a_batch_comes_back_as_it_was_written(batches: BatchStore) -> None:
    batch = sample_batch(
        metadata={"customer": "é", "empty": ""}, inbox=InboxOrigin(name="a/b.jsonl", etag="e")
    )
    batches.create(batch)
    assert batches.get("alice", BATCH_ID) == batch


def test_an_unknown_id_and_another_owners_answer_the_same(batches: BatchStore) -> None:
    batches.create(sample_batch())
    messages = []
    for owner, batch_id in (("bob", BATCH_ID), ("alice", "batch_x")):
        with pytest.raises(NotFound) as refusal:
            batches.get(owner, batch_id)
        messages.append(refusal.value.message.replace(batch_id, "ID"))
    assert messages == ["No batch found with id 'ID'."] * 2
    assert batches.find("bob", BATCH_ID) is None


def test_a_taken_id_is_not_written_over(batches: BatchStore) -> None:
    batches.create(sample_batch())
    with pytest.raises(WriteConflict):
        batches.create(sample_batch(endpoint="/v1/embeddings"))
    assert batches.get("alice", BATCH_ID).endpoint == "/v1/chat/completions"


def test_of_two_writers_from_one_version_one_wins(batches: BatchStore) -> None:
    batches.create(sample_batch())
    one, other = batches.get("alice", BATCH_ID), batches.get("alice", BATCH_ID)
    batches.save(one.move_to(BatchStatus.CANCELLING, NOW))
    with pytest.raises(WriteConflict):
        batches.save(other.move_to(BatchStatus.IN_PROGRESS, NOW))
    assert batches.get("alice", BATCH_ID).status == BatchStatus.CANCELLING


def test_a_saved_batch_can_be_saved_again(batches: BatchStore) -> None:
    batches.create(sample_batch())
    saved = batches.save(batches.get("alice", BATCH_ID).move_to(BatchStatus.IN_PROGRESS, NOW))
    saved = batches.save(saved.move_to(BatchStatus.FINALIZING, NOW))
    assert saved == batches.get("alice", BATCH_ID)
    assert saved.version == 3


def test_one_idempotency_key_makes_one_batch(batches: BatchStore) -> None:
    batches.create_once(sample_batch(), "key", "digest", NOW)
    second = sample_batch(id="batch_second")
    with pytest.raises(WriteConflict):
        batches.create_once(second, "key", "digest", NOW + IDEMPOTENCY_SECONDS - 1)
    assert batches.find("alice", "batch_second") is None
    memory = batches.remembered("alice", "key", NOW)
    assert memory is not None
    assert (memory.batch_id, memory.request_digest) == (BATCH_ID, "digest")


def test_an_idempotency_key_is_free_again_after_24_hours(batches: BatchStore) -> None:
    batches.create_once(sample_batch(), "key", "digest", NOW)
    later = NOW + IDEMPOTENCY_SECONDS
    assert batches.remembered("alice", "key", later) is None
    batches.create_once(sample_batch(id="batch_second"), "key", "other", later)
    assert batches.find("alice", "batch_second") is not None


def test_an_idempotency_key_is_its_owners_alone(batches: BatchStore) -> None:
    batches.create_once(sample_batch(), "key", "digest", NOW)
    assert batches.remembered("bob", "key", NOW) is None
    batches.create_once(sample_batch(owner="bob"), "key", "digest", NOW)
    assert batches.find("bob", BATCH_ID) is not None


def test_a_key_whose_batch_could_not_be_written_is_not_remembered(batches: BatchStore) -> None:
    batches.create(sample_batch())
    with pytest.raises(WriteConflict):
        batches.create_once(sample_batch(), "key", "digest", NOW)
    assert batches.remembered("alice", "key", NOW) is None


def test_a_list_is_its_owners_newest_first_and_goes_on_after_any_id(batches: BatchStore) -> None:
    for number in (2, 1, 3, 5):
        batches.create(sample_batch(id=f"batch_{number:032x}"))
    batches.create(sample_batch(id=f"batch_{4:032x}", owner="bob"))
    batches.create_once(sample_batch(id=f"batch_{6:032x}"), "key", "digest", NOW)
    ids = [int(batch.id[-1]) for batch in batches.list("alice")]
    assert ids == [6, 5, 3, 2, 1]
    after_unknown = batches.list("alice", after=f"batch_{4:032x}")
    assert [int(batch.id[-1]) for batch in after_unknown] == [3, 2, 1]
