"""10,000 lines over all providers, two endpoints and both lanes in one file: one answer, and one bill."""

from __future__ import annotations

from collections.abc import Iterator
from pkgutil import iter_modules
from typing import Any

import nightmail.providers
import pytest
from nightmail.provider_names import SERVED
from nightmail.providers.registry import card_of

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import (
    Desk,
    Journey,
    Json,
    after,
    assert_well_told,
    before,
    open_buyers_desk,
)
from tests.e2e.market import FALLBACKS, WARES, name_of, takes_key
from tests.e2e.mixed import again, assert_answered, assert_charged, assert_summed, line
from tests.e2e.test_direct_lane import IN_FLIGHT
from tests.unit.native_lanes import NATIVE_LANES

LINES = 10_000
FEWER_LINES = 3000
"""Enough for a job of Bedrock's: it has 100 lines at least."""
CYCLE = 20
NATIVE = ["gpt", *(name for name, ware in WARES.items() if ware.lane == "native")]
PROVIDERS = sorted({WARES[name].provider for name in NATIVE})
CALLED = [name for name, ware in WARES.items() if ware.lane == "direct"]
DIMENSIONS = {"vectors": 8, "embed": 256}
ORDERS = ["", "[[think:4]]", "[[cached:30]]"]
HEALING = {"gpt": "[[fail:404:1]]", "claude": "[[fail:500:1]]"}
"""Who is asked for a line first refuses it for good, or fails; the next one answers."""
HEALED_EVERY = 10

IN_MID_WORK: tuple[str | Json, ...] = (
    before("s3 PUT */log-*"),
    after("s3 PUT */log-*"),
    {"after_ms": 400},
)
KILLS: list[tuple[str, str | Json]] = [
    ("plan_batch", before("s3 PUT */shards.jsonl")),
    ("plan_batch", after("s3 PUT */chunks.jsonl")),
    ("submit_shard", after("dynamodb PutItem")),
    ("submit_shard", "end"),
    ("poll_shard", before("dynamodb PutItem")),
    ("poll_shard", "end"),
    ("collect_shard", after("s3 PUT */run-*")),
    ("collect_shard", before("dynamodb TransactWriteItems")),
    ("collect_shard", after("dynamodb TransactWriteItems")),
    ("finish_shard", "start"),
    *(("finish_shard", moment) for moment in IN_MID_WORK[:2]),
    ("run_chunk", "end"),
    *(("run_chunk", moment) for moment in IN_MID_WORK),
    ("finalize_batch", before("s3 PUT */files/*")),
    ("finalize_batch", after("dynamodb PutItem")),
]
KILLED_IN_MID_WORK = len(IN_MID_WORK) + len(IN_MID_WORK[:2])


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_buyers_desk(cloud) as desk:
        yield desk


def ware_at(number: int) -> str:
    """Of twenty lines each native model has one at least; what is left is called."""
    place = number % CYCLE
    return NATIVE[place] if place < len(NATIVE) else CALLED[number % len(CALLED)]


def mixture(desk: Desk, lines: int) -> list[Json]:
    def request(number: int) -> Json:
        ware = ware_at(number)
        if ware in DIMENSIONS:
            return line(desk, ware, number, dimensions=DIMENSIONS[ware])
        return line(desk, ware, number, ORDERS[number % len(ORDERS)])

    return [request(number) for number in range(lines)]


def assert_complete(journey: Journey) -> None:
    """Every line was answered, in the order of the input, under its own custom_id."""
    assert journey.end.status == "completed"
    assert journey.errors == []
    assert [each["custom_id"] for each in journey.output] == [
        each["custom_id"] for each in journey.requests
    ]
    assert_well_told(journey)
    assert_answered(journey)
    assert_summed(journey)


def test_every_provider_with_batches_is_in_the_mixture() -> None:
    """But servers of any kind, which have batches where the config says so."""
    modules = iter_modules(nightmail.providers.__path__)
    cards = [card_of(module.name) for module in modules if module.name in SERVED]
    having = [card.names for card in cards if card and card.format]
    assert [names for names in having if not names & set(PROVIDERS)] == []


def test_a_file_of_all_comes_back_in_order_and_costs_what_the_providers_billed(
    desk: Desk,
) -> None:
    journey = desk.run(mixture(desk, FEWER_LINES), pause_seconds=0.5)

    assert_complete(journey)
    assert again(desk, journey) == {"native": 0, "direct": 0}
    assert_charged(desk, journey)


def misbehaviour(desk: Desk) -> list[Json]:
    """Unclear answers to all submissions, throttled and broken calls, lagging and spoiled results."""
    lives = [calls_of(provider) for provider in PROVIDERS]
    return [
        *(fault for calls in lives for fault in of_a_batch(desk, calls)),
        *(fault for path in ("/chat/completions", "/chat") for fault in of_calls(desk, path)),
        *(desk.fault(kind, lines=20) for kind in ("duplicated", "unknown_ids", "garbage")),
        *(desk.fault(kind, polls=2) for kind in ("odd_status", "lagging_counts", "late_output")),
    ]


def calls_of(provider: str) -> dict[str, Json]:
    """The calls of a batch's good life; Bedrock's leaves its results in the bucket."""
    if provider != "bedrock":
        return NATIVE_LANES[provider].calls
    job = "/model-invocation-job"
    create = {"provider": provider, "method": "POST", "path": job}
    return {"create": create, "poll": {**create, "method": "GET", "path": f"{job}/*"}}


def of_a_batch(desk: Desk, calls: dict[str, Json]) -> Iterator[Json]:
    yield strike(desk, calls["create"], "drop", when="after", times=1)
    yield strike(desk, calls["poll"], "status", status=500, times=2)
    if "upload" in calls:
        yield strike(desk, calls["upload"], "status", status=429, times=1, retry_after=1)
    if "content" in calls:
        yield strike(desk, calls["content"], "drop", when="during", times=1)


def of_calls(desk: Desk, path: str) -> Iterator[Json]:
    yield desk.fault("status", "POST", path, status=429, share=0.1, times=40)
    yield desk.fault("status", "POST", path, status=500, share=0.1, times=40, seed=1)
    yield desk.fault("drop", "POST", path, when="before", share=0.1, times=10, seed=2)


def strike(desk: Desk, call: Json, kind: str, **details: Any) -> Json:
    """A fault that meets this call of the desk's tenant."""
    key = desk.tenant.provider_key if takes_key(call["provider"]) else ""
    return {"kind": kind, "match": {**call, "key": key}, **details}


def test_ten_thousand_lines_survive_killed_workers_and_providers_that_misbehave(
    desk: Desk,
) -> None:
    """Nothing is paid twice on the native lane; of the calls at most those in flight at a kill."""
    requests = mixture(desk, LINES)
    healed = [number for number in range(LINES) if ware_at(number) in HEALING][::HEALED_EVERY]
    for number in healed:
        requests[number] = line(desk, ware_at(number), number, HEALING[ware_at(number)])
    faults = misbehaviour(desk)
    desk.simulator.behave(*faults)
    for function, moment in KILLS:
        desk.kill(function, moment)

    journey = desk.run(requests, pause_seconds=0.5)

    assert sorted(desk.killed()) == sorted(function for function, _ in KILLS)
    assert all(desk.simulator.struck()), "a fault had no occasion"
    assert_complete(journey)
    paid_again = again(desk, journey)
    assert paid_again["native"] == 0
    assert 0 <= paid_again["direct"] <= KILLED_IN_MID_WORK * IN_FLIGHT
    assert_charged(desk, journey)
    models = {
        journey.output[number]["response"]["body"]["model"]
        for number in healed
        if ware_at(number) == "gpt"
    }
    assert models == {name_of(desk.tenant, FALLBACKS["gpt"])}
