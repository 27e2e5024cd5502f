"""Parts in the table: a lease lets one worker act, a fence stops the one that was overtaken, and lines
pass from a part to its successors in one write.
"""

from __future__ import annotations

import pytest
from nightmail.chunk import ChunkState
from nightmail.config.gateway import parse_config
from nightmail.errors import LeaseLost, NotFound
from nightmail.shard import Shard, ShardState
from nightmail.stores.parts import PartStore

from local.build import ROOT
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_chunk, sample_shard

LEASE = 700


def shard_of(parts: PartStore) -> Shard:
    """The first shard of the batch."""
    return parts.again(sample_shard())


@pytest.fixture
def planned(parts: PartStore) -> PartStore:
    parts.plan(sample_shard())
    return parts


def test_a_shard_comes_back_as_it_was_planned(planned: PartStore) -> None:
    assert shard_of(planned) == sample_shard()


def test_an_unknown_shard_is_not_found(planned: PartStore) -> None:
    with pytest.raises(NotFound):
        planned.current(BATCH_ID, "shard", 2)
    with pytest.raises(NotFound):
        planned.again(sample_shard(number=2))


def test_parts_are_listed_in_order_of_their_numbers_up_to_those_of_the_plan(
    parts: PartStore,
) -> None:
    for number in (10, 2, 1, 11):
        parts.plan(sample_shard(number=number))
    parts.plan(sample_chunk(number=1))
    parts.plan(sample_shard(batch_id="batch_other"))
    listed = parts.of_batch(sample_batch(shards=10, chunks=1))
    assert [(part.kind, part.number) for part in listed] == [
        ("shard", 1),
        ("shard", 2),
        ("shard", 10),
        ("chunk", 1),
    ]


# ---- Tracks


def test_a_track_has_come_to_its_first_part_that_is_not_over(parts: PartStore) -> None:
    first = sample_shard(state=ShardState.COLLECTED)
    second = sample_shard(round=1)
    third = sample_chunk(track="shard", round=2)
    for part in (third, second, first):
        parts.plan(part)
    assert parts.of_track(BATCH_ID, "shard", 1) == [first, second, third]
    assert parts.current(BATCH_ID, "shard", 1) == second
    parts.save(second.changed(state=ShardState.STOPPED))
    assert parts.current(BATCH_ID, "shard", 1) == third
    parts.save(third.changed(state=ChunkState.DONE))
    assert parts.current(BATCH_ID, "shard", 1).round == 2


def test_rounds_are_in_their_order_beyond_nine(parts: PartStore) -> None:
    for number in (11, 2, 0, 10):
        parts.plan(sample_shard(round=number))
    rounds = [part.round for part in parts.of_track(BATCH_ID, "shard", 1)]
    assert rounds == [0, 2, 10, 11]


def test_a_part_is_read_again_by_its_round(parts: PartStore) -> None:
    for number in (0, 1):
        parts.plan(sample_shard(round=number, lines=number + 5))
    assert parts.again(sample_shard(round=1)).lines == 6


def test_lines_pass_on_in_one_write(planned: PartStore) -> None:
    whole = shard_of(planned)
    successors = [sample_chunk(track="shard", round=1, lines=3), sample_shard(round=2, lines=2)]
    left = planned.pass_on(whole.changed(lines=5), successors)
    assert planned.of_track(BATCH_ID, "shard", 1) == [left, *successors]


def test_nothing_passes_on_from_a_worker_that_was_overtaken(planned: PartStore) -> None:
    whole = shard_of(planned)
    planned.save(whole)
    with pytest.raises(LeaseLost):
        planned.pass_on(whole.changed(lines=5), [sample_chunk(track="shard", round=1)])
    assert planned.of_track(BATCH_ID, "shard", 1) == [whole.changed(fence=1)]


def test_lines_pass_on_to_no_part_that_is_there_already(planned: PartStore) -> None:
    whole, there = shard_of(planned), sample_chunk(track="shard", round=1, lines=7)
    planned.plan(there)
    with pytest.raises(LeaseLost):
        planned.pass_on(whole.changed(lines=5), [there.changed(lines=5)])
    assert planned.of_track(BATCH_ID, "shard", 1) == [whole, there]


# ---- Plans and leases


def test_planning_again_changes_a_shard_that_nobody_has_touched(planned: PartStore) -> None:
    planned.plan(sample_shard(lines=20))
    assert shard_of(planned).lines == 20


def test_planning_again_leaves_a_shard_alone_that_somebody_works_on(
    planned: PartStore,
) -> None:
    held = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    planned.plan(sample_shard(lines=20))
    assert shard_of(planned) == held


def test_of_two_workers_one_gets_the_lease(planned: PartStore) -> None:
    planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    with pytest.raises(LeaseLost):
        planned.take_lease(BATCH_ID, "shard", 1, NOW + LEASE - 1, LEASE)


def test_a_lease_that_ran_out_is_free(planned: PartStore) -> None:
    first = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    second = planned.take_lease(BATCH_ID, "shard", 1, NOW + LEASE, LEASE)
    assert second.fence > first.fence


def test_a_lease_given_back_is_free(planned: PartStore) -> None:
    held = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    planned.release(held.model_copy(update={"state": ShardState.SUBMITTED}))
    again = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    assert isinstance(again, Shard)
    assert again.state == ShardState.SUBMITTED


def test_a_worker_that_was_overtaken_can_neither_write_nor_release(
    planned: PartStore,
) -> None:
    slow = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    fast = planned.take_lease(BATCH_ID, "shard", 1, NOW + LEASE, LEASE)
    fast = planned.save(fast.model_copy(update={"provider_batch_id": "theirs"}))
    for write in (planned.save, planned.release):
        with pytest.raises(LeaseLost):
            write(slow.model_copy(update={"provider_batch_id": "mine"}))
    assert shard_of(planned) == fast


def test_of_two_workers_that_read_a_free_shard_at_once_one_writes(
    planned: PartStore,
) -> None:
    one, other = shard_of(planned), shard_of(planned)
    planned.save(one.model_copy(update={"lease_until": NOW + LEASE}))
    with pytest.raises(LeaseLost):
        planned.save(other.model_copy(update={"lease_until": NOW + LEASE}))


def test_a_holder_writes_as_often_as_it_likes(planned: PartStore) -> None:
    held = planned.take_lease(BATCH_ID, "shard", 1, NOW, LEASE)
    for state in (ShardState.SUBMITTING, ShardState.SUBMITTED):
        held = planned.save(held.model_copy(update={"state": state}))
    assert shard_of(planned) == held


@pytest.mark.parametrize("model", ["nightly-classifier", "groq-llama", "openai/gpt-5"])
def test_every_deployment_of_the_example_config_can_be_kept(parts: PartStore, model: str) -> None:
    config = parse_config((ROOT / "examples" / "config.yaml").read_text(encoding="utf-8"))
    (deployment,) = config.deployments(model)
    assert isinstance(deployment.timeout_seconds, int)
    parts.plan(sample_shard(deployment=deployment))
    assert shard_of(parts).deployment == deployment
