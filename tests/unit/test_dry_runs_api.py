"""A dry run through `/batches`: its create waits until it is planned, for so long as an answer may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from nightmail.api.batches import Batches
from nightmail.batch import BatchStatus
from nightmail.errors import NotFound
from nightmail.estimate import Estimate
from nightmail.stores.batches import BatchStore
from nightmail.stores.parts import PartStore
from nightmail.stores.table import Table

from tests.unit.samples import NOW, sample_batch

BODY: dict[str, Any] = {
    "input_file_id": "file-in",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}
DAY = 24 * 3600


@dataclass
class Meanwhile:
    """What a create waits with: remembers the pauses, and in the one with this number plans the batch."""

    store: BatchStore
    planned_in: int = 0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self.planned_in:
            (batch,) = self.store.list("alice")
            estimate = Estimate(lines=3, warnings=["Nobody knows what this costs."])
            self.store.save(batch.move_to(BatchStatus.COMPLETED, NOW, estimate=estimate))


@pytest.fixture
def store(table: Table) -> BatchStore:
    return BatchStore(table, lambda: NOW)


def api(store: BatchStore, table: Table, pause: Callable[[float], object]) -> Batches:
    return Batches(store, PartStore(table), lambda: NOW, pause)


def test_a_dry_run_answers_when_it_is_planned(store: BatchStore, table: Table) -> None:
    meanwhile = Meanwhile(store, planned_in=3)
    batch = api(store, table, meanwhile.pause).create(
        "alice", {**BODY, "nightmail": {"dry_run": True}}
    )

    assert (batch["status"], batch["nightmail"]["dry_run"]) == ("completed", True)
    assert batch["nightmail"]["estimate"]["lines"] == 3
    assert len(meanwhile.pauses) == 3


def test_a_dry_run_that_takes_too_long_answers_as_it_is(store: BatchStore, table: Table) -> None:
    meanwhile = Meanwhile(store)
    batch = api(store, table, meanwhile.pause).create(
        "alice", {**BODY, "nightmail": {"dry_run": True}}
    )

    assert (batch["status"], batch["nightmail"].get("estimate")) == ("validating", None)
    assert sum(meanwhile.pauses) == 20
    assert all(first <= second for first, second in pairwise(meanwhile.pauses[:-1]))
    assert len(meanwhile.pauses) < 20


def test_the_key_of_a_dry_run_answers_it_again(store: BatchStore, table: Table) -> None:
    meanwhile = Meanwhile(store, planned_in=1)
    asked = {**BODY, "nightmail": {"dry_run": True}}
    first, again = (
        api(store, table, meanwhile.pause).create("alice", asked, idempotency_key="k")
        for _ in range(2)
    )

    assert first == again
    assert len(meanwhile.pauses) == 1


def test_any_other_batch_waits_for_nothing(store: BatchStore, table: Table) -> None:
    meanwhile = Meanwhile(store)
    api(store, table, meanwhile.pause).create("alice", BODY)

    assert meanwhile.pauses == []


def test_a_dry_run_is_gone_after_a_day_wherever_one_looks(table: Table) -> None:
    now = NOW
    store = BatchStore(table, lambda: now)
    store.create(sample_batch(id="batch_dry", dry_run=True, delete_at=NOW + DAY))
    store.create(sample_batch(id="batch_wet"))

    now = NOW + DAY - 1
    assert [batch.id for batch in store.list("alice")] == ["batch_wet", "batch_dry"]
    assert store.get("alice", "batch_dry").dry_run

    now = NOW + DAY
    assert [batch.id for batch in store.list("alice")] == ["batch_wet"]
    assert store.find("alice", "batch_dry") is None
    with pytest.raises(NotFound, match="No batch found with id 'batch_dry'"):
        store.get("alice", "batch_dry")


def test_the_table_deletes_a_dry_run_by_the_attribute_of_its_ttl(table: Table) -> None:
    store = BatchStore(table, lambda: NOW)
    store.create(sample_batch(id="batch_dry", dry_run=True, delete_at=NOW + DAY))
    store.create(sample_batch(id="batch_wet"))

    items = list(table.query("OWNER#alice", "BATCH#"))
    assert [item.get("delete_at") for item in items] == [NOW + DAY, None]
