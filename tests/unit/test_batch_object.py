"""The Batch object's details: settings, usage and cost, and where its parts stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from nightmail.batch import Batch
from nightmail.batch_object import to_batch_object, to_list_entry
from nightmail.bill import Bill
from nightmail.cost import UNKNOWN, Cost
from nightmail.part import Part
from nightmail.shard import ShardState
from nightmail.usage import Usage

from tests.unit.samples import NOW, sample_batch, sample_bill, sample_chunk, sample_shard

USAGE = Usage(
    input_tokens=100, cached_tokens=40, cache_write_tokens=30, output_tokens=20, reasoning_tokens=10
)
NATIVE = sample_bill(
    lines=2, usage=USAGE, cost=Cost(amount=Decimal("0.00125"), synchronous=Decimal("0.0025"))
)
DIRECT = sample_bill(
    model="claude-haiku-4-5",
    provider="anthropic",
    lane="direct",
    usage=USAGE,
    cost=Cost(amount=Decimal("0.1"), synchronous=Decimal("0.1")),
)
FREE_OF_PRICE = sample_bill(model="my-llama", provider="hosted_vllm", lane="direct", cost=UNKNOWN)


def ended(*bills: Bill, **changes: Any) -> Batch:
    return sample_batch(status="completed", bills=bills, **changes)


def details(batch: Batch, *parts: Part, now: int = NOW) -> dict[str, Any]:
    found: dict[str, Any] = to_batch_object(batch, parts, now)["nightmail"]
    return found


def test_usage_and_cost_are_told_for_each_model_and_lane() -> None:
    told = details(ended(NATIVE, DIRECT))

    assert told["usage"][0]["cache_write_tokens"] == 30
    assert told["usage"][0] == {
        "model": "gpt-5-mini",
        "provider": "openai",
        "lane": "native",
        "lines": 2,
        **USAGE.model_dump(),
        "cost": 0.00125,
        "synchronous_cost": 0.0025,
    }
    assert [entry["model"] for entry in told["usage"]] == ["gpt-5-mini", "claude-haiku-4-5"]
    assert (told["cost"], told["synchronous_cost"], told["saved"]) == (0.10125, 0.1025, 0.00125)
    assert "unpriced_models" not in told


def test_a_price_that_nobody_knows_is_null_and_named_and_never_zero() -> None:
    told = details(ended(NATIVE, FREE_OF_PRICE))

    assert (told["cost"], told["synchronous_cost"], told["saved"]) == (None, None, None)
    assert told["unpriced_models"] == ["my-llama"]
    assert [entry["cost"] for entry in told["usage"]] == [0.00125, None]


def test_half_a_price_is_named_too_and_saves_nothing_that_is_known() -> None:
    half = sample_bill(cost=Cost(amount=Decimal(1), synchronous=None))
    told = details(ended(half))

    assert (told["cost"], told["synchronous_cost"], told["saved"]) == (1.0, None, None)
    assert told["unpriced_models"] == ["gpt-5-mini"]


def test_a_batch_of_which_nothing_was_answered_costs_nothing() -> None:
    told = details(ended())

    assert (told["usage"], told["cost"], told["saved"]) == ([], 0.0, 0.0)


def test_while_it_runs_the_cost_is_the_sum_of_its_parts() -> None:
    batch = sample_batch(status="in_progress", shards=2, chunks=1)
    parts = [
        sample_shard(bills=[NATIVE]),
        sample_shard(number=2, bills=[NATIVE]),
        sample_chunk(bills=[DIRECT]),
    ]
    told = to_batch_object(batch, parts, NOW)

    assert [entry["lines"] for entry in told["nightmail"]["usage"]] == [4, 1]
    assert told["nightmail"]["cost"] == 0.1025
    assert told["usage"]["total_tokens"] == 3 * 120


def test_a_list_entry_tells_progress_and_cost_alone() -> None:
    told = to_list_entry(ended(NATIVE), [])["nightmail"]

    assert told == {
        "progress": {"completed": 0, "failed": 0},
        "cost": 0.00125,
        "synchronous_cost": 0.0025,
    }


def test_settings_are_told_where_they_are_known() -> None:
    names = ("strict", "on_deadline", "retry_of", "dry_run", "estimate")
    known = {"strict": False, "on_deadline": "expire", "retry_of": "batch_parent"}

    assert details(sample_batch()).keys().isdisjoint(names)
    told = details(sample_batch(**known))
    assert {name: told.get(name) for name in names} == {**known, "dry_run": None, "estimate": None}


def test_an_estimate_is_told_in_all_by_lane_and_by_way() -> None:
    way = {
        "model": "gpt-5-mini",
        "provider": "openai",
        "provider_model": "gpt-5-mini-2025",
        "endpoint": "/v1/chat/completions",
        "lane": "native",
        "lines": 3,
        "parts": 1,
        "input_tokens": 300,
        "output_tokens": 60,
    }
    cheap, dear = (
        {"amount": "0.25", "synchronous": "0.5"},
        {"amount": "1.5", "synchronous": "1.5"},
    )
    estimate = {
        "lines": 7,
        "refused": 1,
        "shards": 1,
        "chunks": 2,
        "ways": [
            {**way, "cost": cheap},
            {**way, "lane": "direct", "lines": 2, "unlimited": 2, "cost": dear},
            {**way, "lane": "direct", "lines": 1, "cost": dear},
        ],
        "warnings": ["2 lines set no limit on their output."],
    }
    told = details(ended(dry_run=True, estimate=estimate))

    assert told["dry_run"] is True
    in_all = told["estimate"]
    assert [in_all[name] for name in ("lines", "refused", "shards", "chunks")] == [7, 1, 1, 2]
    assert [in_all[name] for name in ("cost", "synchronous_cost", "saved")] == [3.25, 3.5, 0.25]
    assert [in_all[name] for name in ("input_tokens", "output_tokens")] == [900, 180]
    assert in_all["unlimited_lines"] == 2
    assert in_all["warnings"] == ["2 lines set no limit on their output."]
    assert [(lane["lane"], lane["lines"], lane["cost"]) for lane in in_all["lanes"]] == [
        ("native", 3, 0.25),
        ("direct", 3, 3.0),
    ]
    assert in_all["ways"][0] == {
        **way,
        "unlimited_lines": 0,
        "cost": 0.25,
        "synchronous_cost": 0.5,
    }
    assert told["cost"] == 0.0


def test_an_estimate_with_an_unknown_price_is_null_in_all() -> None:
    unknown = {"amount": None, "synchronous": None}
    names = {"model": "m", "provider": "p", "provider_model": "m", "endpoint": "/v1/embeddings"}
    estimate = {
        "ways": [
            {**names, "lane": "native", "cost": {"amount": 1, "synchronous": 2}},
            {**names, "lane": "direct", "cost": unknown},
        ]
    }
    told = details(ended(dry_run=True, estimate=estimate))["estimate"]

    assert (told["cost"], told["saved"]) == (None, None)
    assert [lane["cost"] for lane in told["lanes"]] == [1.0, None]


@pytest.mark.parametrize(
    ("fields", "stalled"),
    [
        ({"progressed_at": NOW}, True),
        ({"progressed_at": NOW + 1}, False),
        ({"submitted_at": NOW}, True),
        ({"submitted_at": NOW, "progressed_at": NOW + 60}, False),
        ({"submitted_at": NOW + 60, "progressed_at": NOW}, False),
        ({"submitted_at": NOW, "patience_seconds": None}, None),
        ({"submitted_at": NOW, "state": ShardState.COLLECTED}, False),
        ({"submitted_at": NOW, "state": ShardState.PLANNED}, False),
    ],
)
def test_a_shard_is_stalled_when_its_provider_told_nothing_new_for_long(
    fields: dict[str, Any], *, stalled: bool | None
) -> None:
    shard = sample_shard(**{"state": ShardState.SUBMITTED, "patience_seconds": 900, **fields})
    running = sample_batch(status="in_progress", shards=1)
    found = details(running, shard, now=NOW + 900)
    (told,) = found["shards"]

    assert told["stalled"] is stalled
    assert found["stalled_shards"] == int(stalled is True)
    assert told["last_progress_at"] == fields.get("progressed_at")


def test_stalled_shards_are_counted_also_where_they_are_not_shown() -> None:
    silent = {"state": ShardState.SUBMITTED, "submitted_at": NOW, "patience_seconds": 900}
    shards = [sample_shard(number=number) for number in range(1, 121)]
    shards += [sample_shard(number=number, **silent) for number in range(121, 124)]
    told = details(sample_batch(status="in_progress", shards=123), *shards, now=NOW + 900)

    assert len(told["shards"]) == 100
    assert told["stalled_shards"] == 3


def test_successors_are_told_with_their_round_and_the_track_that_they_finish() -> None:
    running = sample_batch(status="in_progress", shards=1, chunks=1)
    told = details(
        running,
        sample_shard(),
        sample_shard(round=1),
        sample_chunk(track="shard", round=2),
        sample_chunk(),
    )

    assert [(part["number"], part["round"]) for part in told["shards"]] == [(1, 0), (1, 1)]
    assert [(part["track"], part["round"]) for part in told["chunks"]] == [
        ("shard", 2),
        ("chunk", 0),
    ]
