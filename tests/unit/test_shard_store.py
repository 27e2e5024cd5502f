"""Shards in the table: a lease lets one worker act, a fence stops the one that was overtaken."""

from __future__ import annotations

import pytest
from nightmail.config.gateway import parse_config
from nightmail.errors import LeaseLost, NotFound
from nightmail.shard import Shard, ShardState
from nightmail.stores.parts import PartStore

from local.build import ROOT
from tests.unit.samples import BATCH_ID, NOW, sample_shard

LEASE = 700


@pytest.fixture
def planned(shards: PartStore[Shard]) -> PartStore[Shard]:
    shards.plan(sample_shard())
    return shards


def test_a_shard_comes_back_as_it_was_planned(planned: PartStore[Shard]) -> None:
    assert planned.get(BATCH_ID, 1) == sample_shard()


def test_an_unknown_shard_is_not_found(planned: PartStore[Shard]) -> None:
    with pytest.raises(NotFound):
        planned.get(BATCH_ID, 2)


def test_shards_are_listed_in_order_of_their_numbers(shards: PartStore[Shard]) -> None:
    for number in (10, 2, 1):
        shards.plan(sample_shard(number=number))
    shards.plan(sample_shard(batch_id="batch_other"))
    assert [shard.number for shard in shards.list(BATCH_ID)] == [1, 2, 10]


def test_planning_again_changes_a_shard_that_nobody_has_touched(planned: PartStore[Shard]) -> None:
    planned.plan(sample_shard(lines=20))
    assert planned.get(BATCH_ID, 1).lines == 20


def test_planning_again_leaves_a_shard_alone_that_somebody_works_on(
    planned: PartStore[Shard],
) -> None:
    held = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    planned.plan(sample_shard(lines=20))
    assert planned.get(BATCH_ID, 1) == held


def test_of_two_workers_one_gets_the_lease(planned: PartStore[Shard]) -> None:
    planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    with pytest.raises(LeaseLost):
        planned.take_lease(BATCH_ID, 1, NOW + LEASE - 1, LEASE)


def test_a_lease_that_ran_out_is_free(planned: PartStore[Shard]) -> None:
    first = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    second = planned.take_lease(BATCH_ID, 1, NOW + LEASE, LEASE)
    assert second.fence > first.fence


def test_a_lease_given_back_is_free(planned: PartStore[Shard]) -> None:
    held = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    planned.release(held.model_copy(update={"state": ShardState.SUBMITTED}))
    again = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    assert again.state == ShardState.SUBMITTED


def test_a_worker_that_was_overtaken_can_neither_write_nor_release(
    planned: PartStore[Shard],
) -> None:
    slow = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    fast = planned.take_lease(BATCH_ID, 1, NOW + LEASE, LEASE)
    fast = planned.save(fast.model_copy(update={"provider_batch_id": "theirs"}))
    for write in (planned.save, planned.release):
        with pytest.raises(LeaseLost):
            write(slow.model_copy(update={"provider_batch_id": "mine"}))
    assert planned.get(BATCH_ID, 1) == fast


def test_of_two_workers_that_read_a_free_shard_at_once_one_writes(
    planned: PartStore[Shard],
) -> None:
    one, other = planned.get(BATCH_ID, 1), planned.get(BATCH_ID, 1)
    planned.save(one.model_copy(update={"lease_until": NOW + LEASE}))
    with pytest.raises(LeaseLost):
        planned.save(other.model_copy(update={"lease_until": NOW + LEASE}))


def test_a_holder_writes_as_often_as_it_likes(planned: PartStore[Shard]) -> None:
    held = planned.take_lease(BATCH_ID, 1, NOW, LEASE)
    for state in (ShardState.SUBMITTING, ShardState.SUBMITTED):
        held = planned.save(held.model_copy(update={"state": state}))
    assert planned.get(BATCH_ID, 1) == held


@pytest.mark.parametrize("model", ["nightly-classifier", "llama-3.3-70b", "openai/gpt-5"])
def test_every_deployment_of_the_example_config_can_be_kept(
    shards: PartStore[Shard], model: str
) -> None:
    config = parse_config((ROOT / "examples" / "config.yaml").read_text(encoding="utf-8"))
    (deployment,) = config.deployments(model)
    assert isinstance(deployment.timeout_seconds, int)
    shards.plan(sample_shard(deployment=deployment))
    assert shards.get(BATCH_ID, 1).deployment == deployment
