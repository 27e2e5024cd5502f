"""10,000 lines over three providers, two endpoints and both lanes in one file: one answer, and one bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
from tests.e2e.market import FALLBACKS, name_of
from tests.e2e.mixed import again, assert_answered, assert_charged, assert_summed, line
from tests.e2e.test_direct_lane import IN_FLIGHT

LINES = 10_000
DIMENSIONS = {"vectors": 8, "embed": 256}
ORDERS = ["", "[[think:4]]", "[[cached:30]]"]
HEALING = {"gpt": "[[fail:404:1]]", "claude": "[[fail:500:1]]"}
"""Who is asked for a line first refuses it for good, or fails; the next one answers."""
HEALED_EVERY = 100

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
    """Of ten lines four go to OpenAI's chats, two to its vectors, two to Anthropic; two are called."""
    wares = ["gpt", "claude", "vectors", "gpt", "called", "gpt", "claude", "vectors", "gpt"]
    place = number % 10
    return wares[place] if place < len(wares) else ("command", "command", "embed")[number % 3]


def mixture(desk: Desk) -> list[Json]:
    def request(number: int) -> Json:
        ware = ware_at(number)
        if ware in DIMENSIONS:
            return line(desk, ware, number, dimensions=DIMENSIONS[ware])
        return line(desk, ware, number, ORDERS[number % len(ORDERS)])

    return [request(number) for number in range(LINES)]


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


def test_ten_thousand_lines_come_back_in_order_and_cost_what_the_providers_billed(
    desk: Desk,
) -> None:
    journey = desk.run(mixture(desk), pause_seconds=0.5)

    assert_complete(journey)
    assert again(desk, journey) == {"native": 0, "direct": 0}
    assert_charged(desk, journey)


def misbehaviour(desk: Desk) -> list[Json]:
    """Unclear answers to both submissions, throttled and broken calls, lagging and spoiled results."""
    native: list[tuple[str, str]] = [("POST", "/batches"), ("POST", "/messages/batches")]
    calls: list[tuple[str, str]] = [("POST", "/chat/completions"), ("POST", "/chat")]

    def status(call: tuple[str, str], status: int, **details: Any) -> Json:
        return desk.fault("status", *call, status=status, **details)

    return [
        *(desk.fault("drop", *call, when="after", times=1) for call in native),
        status(("POST", "/files"), 429, times=2, retry_after=1),
        status(("GET", "/batches/*"), 500, times=2),
        status(("GET", "/messages/batches/*"), 529, times=2),
        desk.fault("drop", "GET", "/files/*/content", when="during", times=2),
        *(status(call, 429, share=0.1, times=40) for call in calls),
        *(status(call, 500, share=0.1, times=40, seed=1) for call in calls),
        *(desk.fault("drop", *call, when="before", share=0.1, times=10, seed=2) for call in calls),
        *(desk.fault(kind, lines=20) for kind in ("duplicated", "unknown_ids", "garbage")),
        *(desk.fault(kind, polls=2) for kind in ("odd_status", "lagging_counts", "late_output")),
    ]


def test_ten_thousand_lines_survive_killed_workers_and_providers_that_misbehave(
    desk: Desk,
) -> None:
    """Nothing is paid twice on the native lane; of the calls at most those in flight at a kill."""
    requests = mixture(desk)
    for number in range(0, LINES, HEALED_EVERY):
        for place in (number, number + 1):
            ware = ware_at(place)
            requests[place] = line(desk, ware, place, HEALING[ware])
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
    models = [each["response"]["body"]["model"] for each in journey.output[::HEALED_EVERY]]
    assert set(models) == {name_of(desk.tenant, FALLBACKS["gpt"])}
