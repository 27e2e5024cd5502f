"""Batches whose lines the gateway calls itself, on the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from nightmail.config.settings import Settings

from tests.e2e.conftest import PARAMETERS, RPM, RunningCloud
from tests.e2e.driver import (
    Desk,
    Json,
    after,
    assert_promises,
    before,
    open_desk,
    side_by_side,
)
from tests.patience import wait_until

CHUNK_LINES = int(PARAMETERS["ChunkLines"])
IN_FLIGHT = 2 * int(Settings.model_fields["chunk_concurrency"].default)
"""Calls of one worker that are under way, and answers that it has not saved yet."""

IN_MID_WORK = (
    before("s3 PUT */log-*"),
    after("s3 PUT */log-*"),
    before("dynamodb PutItem"),
    after("dynamodb PutItem"),
    {"after_ms": 300},
)
WITH_NOTHING_IN_FLIGHT = ("start", "end")


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def direct(desk: Desk) -> str:
    """A model of this test's own."""
    return f"direct-{desk.tenant.owner}"


def chats(desk: Desk, **wanted: str) -> list[Json]:
    return desk.simulator.calls(model=direct(desk), path="/chat/completions", **wanted)


def test_a_worker_killed_at_every_stage_costs_only_the_calls_in_flight(
    desk: Desk, cloud: RunningCloud
) -> None:
    moments = (*WITH_NOTHING_IN_FLIGHT, *IN_MID_WORK)
    for moment in moments:
        desk.kill("run_chunk", moment)
    desk.kill("plan_batch", after("s3 PUT */chunks.jsonl"))
    desk.kill("finalize_batch", "start")
    requests = desk.questions(5000, model=direct(desk))

    journey = desk.run(requests, pause_seconds=0.5)

    assert sorted(desk.killed()) == sorted(
        ["run_chunk"] * len(moments) + ["plan_batch", "finalize_batch"]
    )
    assert journey.end.status == "completed"
    assert len(journey.output) == 5000
    assert_promises(journey, desk.simulator, most_again=len(IN_MID_WORK) * IN_FLIGHT)
    assert all(used < size / 2 for size, used in cloud.memory("run_chunk"))


def test_rpm_holds_over_the_workers_of_two_batches(desk: Desk) -> None:
    model = f"limited-{desk.tenant.owner}"
    halves = [
        desk.questions(2 * CHUNK_LINES, text=f"Batch {name}: {{number}}?", model=model)
        for name in ("one", "two")
    ]

    journeys = side_by_side(*(partial(desk.run, half) for half in halves))

    for journey in journeys:
        assert journey.end.status == "completed"
        assert_promises(journey, desk.simulator)
        chunks = (journey.end.model_extra or {})["nightmail"]["chunks"]
        assert [chunk["lines"] for chunk in chunks] == [CHUNK_LINES] * 2
    for seconds in (5, 10, 20):
        late = 2.5  # a request may go a second late, and a busy machine keeps it on its way
        assert desk.simulator.busiest(seconds, model=model) <= RPM * (seconds + late) / 60


def test_a_direct_batch_that_is_cancelled_keeps_what_was_answered(desk: Desk) -> None:
    held = {
        "kind": "hold",
        "name": desk.tenant.owner,
        "match": {"text": f"{desk.tenant.owner}: Why 7?"},
    }
    desk.simulator.behave(held)
    requests = desk.questions(20, text="Why {number}?", model=direct(desk))
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)

    def answered() -> bool:
        counts = desk.client.batches.retrieve(batch.id).request_counts
        return bool(counts and counts.completed == 19)

    wait_until(answered)
    desk.client.batches.cancel(batch.id)
    journey = desk.finish(requests, batch)

    assert journey.end.status == "cancelled"
    assert_promises(journey, desk.simulator)
    assert len(journey.output) == 19
    assert [line["error"]["code"] for line in journey.errors] == ["batch_cancelled"]
    assert chats(desk, disconnected="true")


def test_a_provider_that_takes_ten_at_a_time_answers_every_line(desk: Desk) -> None:
    desk.simulator.behave(
        {"kind": "crowded", "most": 10, "match": {"model": direct(desk)}},
        {"kind": "latency", "seconds": 0.02, "match": {"model": direct(desk)}},
    )
    requests = desk.questions(2 * CHUNK_LINES, model=direct(desk))

    journey = desk.run(requests)

    assert journey.end.status == "completed"
    assert len(journey.output) == 2 * CHUNK_LINES
    assert_promises(journey, desk.simulator)
    assert chats(desk, status="429"), "it was asked for too much, and asked more slowly then"


@pytest.mark.parametrize(
    "model", [pytest.param("command-r", marks=pytest.mark.of("cohere")), "perplexity/sonar"]
)
def test_a_provider_without_a_batch_api_answers_a_batch(desk: Desk, model: str) -> None:
    journey = desk.run(desk.questions(5, model=model))

    assert journey.end.status == "completed"
    assert [line["response"]["body"]["model"] for line in journey.output] == [model] * 5
    assert all(line["nightmail"]["lane"] == "direct" for line in journey.output)


@pytest.mark.of("cohere")
def test_embeddings_of_a_provider_without_a_batch_api(desk: Desk) -> None:
    url, model = "/v1/embeddings", "embed-v4.0"
    requests = [
        {
            "custom_id": f"{desk.tenant.owner} e-{number}",
            "method": "POST",
            "url": url,
            "body": {"model": model, "input": [f"{desk.tenant.owner} {number}", "and another"]},
        }
        for number in range(5)
    ]

    journey = desk.finish(requests, desk.start(requests, endpoint=url))

    assert journey.end.status == "completed"
    assert journey.errors == []
    for asked, line in zip(requests, journey.output, strict=True):
        assert line["custom_id"] == asked["custom_id"]
        vectors = [each["embedding"] for each in line["response"]["body"]["data"]]
        assert [len(vector) > 1 for vector in vectors] == [True, True]
        assert line["nightmail"]["lane"] == "direct"
