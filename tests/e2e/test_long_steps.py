"""Files that are bigger than a provider's batch, and steps that do not fit into their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nightmail.deployment import Deployment
from nightmail.providers.registry import open_format

from tests.e2e.conftest import PARAMETERS, RunningCloud, ShortStep
from tests.e2e.driver import Desk, assert_well_told, open_buyers_desk
from tests.e2e.mixed import again, assert_answered, assert_charged, line
from tests.patience import wait_until

PROVIDERS_LINES = open_format(Deployment(name="gpt", provider="openai", model="gpt")).limits.lines
LINES_OVER = 500
CALLED = int(PARAMETERS["ChunkLines"])
LATENCY_SECONDS = 6
"""A worker has a hundred calls in flight: no chunk is done in two times that, and then time is up."""
SHORT_STEPS = [
    ShortStep("plan_batch", 4, "dynamodb PutItem", 0.8),  # one for each part
    ShortStep("collect_shard", 4),  # the provider is slow
    ShortStep("run_chunk", 16),  # here too
    ShortStep("finish_shard", 16),
    ShortStep("finalize_batch", 6, "s3 GET /*/work/*", 0.25),
]


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_buyers_desk(cloud) as desk:
        yield desk


@pytest.mark.of("anthropic", "cohere")
def test_steps_that_do_not_fit_into_their_time_go_on_where_they_stopped(
    desk: Desk, cloud: RunningCloud
) -> None:
    requests = [
        *(line(desk, ware, place) for place, ware in enumerate(["claude", "command", "embed"])),
        *(line(desk, "gpt", 1000 + number, "[[fail:500:1]]") for number in range(CALLED)),
        *(line(desk, "called", 2000 + number) for number in range(CALLED)),
        *(line(desk, "vectors", 3000 + number, dimensions=256) for number in range(3000)),
    ]
    desk.simulator.behave(
        desk.fault("latency", "POST", "/chat/completions", seconds=LATENCY_SECONDS),
        desk.fault("trickle", "GET", "/files/*/content", bytes=32_000, seconds=0.015),
    )

    with cloud.short_of_time(*SHORT_STEPS):
        journey = desk.run(requests, pause_seconds=0.5)

    for step in SHORT_STEPS:
        assert "more" in cloud.steps_done(step.function, journey.end.id), step.function
    assert journey.end.status == "completed"
    assert journey.errors == []
    assert_well_told(journey)
    assert_answered(journey)
    assert again(desk, journey)["native"] == 0
    assert_charged(desk, journey)


def test_a_file_over_a_providers_limits_is_cut_and_its_parts_wait_for_the_providers_queue(
    desk: Desk,
) -> None:
    """The queue takes no two of them, and the first is stuck until another was given back."""
    count = PROVIDERS_LINES + LINES_OVER
    requests = [line(desk, "vectors", number, dimensions=1) for number in range(count)]
    desk.simulator.behave(
        desk.fault("stuck_batch", times=1, after_lines=1, name=desk.tenant.owner),
        desk.fault("queue_limit", lines=PROVIDERS_LINES),
    )

    batch = desk.start(requests)
    wait_until(lambda: "failed" in [each["status"] for each in desk.provider_batches(batch.id)])
    desk.simulator.release(desk.tenant.owner)
    journey = desk.finish(requests, batch, pause_seconds=0.5)

    assert journey.end.status == "completed"
    assert journey.errors == []
    assert_well_told(journey)
    assert_answered(journey)
    assert again(desk, journey)["native"] == 0
    assert_charged(desk, journey)
    done = [each for each in desk.provider_batches(batch.id) if each["status"] == "completed"]
    assert sorted(each["total"] for each in done) == [LINES_OVER, PROVIDERS_LINES]
