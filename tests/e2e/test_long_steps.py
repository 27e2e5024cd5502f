"""A file that is bigger than a provider's batch, and than what a function gets done in its time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nightmail.providers.openai.batch_format import OpenAIFormat

from tests.e2e.conftest import PARAMETERS, RunningCloud
from tests.e2e.driver import Desk, assert_well_told, open_buyers_desk
from tests.e2e.mixed import again, assert_answered, assert_charged, line
from tests.patience import wait_until

PROVIDERS_LINES = OpenAIFormat.limits.lines
LINES = PROVIDERS_LINES + 8000
CALLED = HEALED = int(PARAMETERS["ChunkLines"])
SECONDS = {
    "plan_batch": 2,
    "collect_shard": 2,
    "finalize_batch": 2,
    "run_chunk": 4,
    "finish_shard": 4,
}
LATENCY_SECONDS = 1.6
"""A worker has a hundred calls in flight: a chunk takes it longer than it may work."""


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_buyers_desk(cloud) as desk:
        yield desk


def test_steps_that_take_too_long_go_on_where_they_stopped_and_a_big_file_is_cut(
    desk: Desk, cloud: RunningCloud
) -> None:
    """The provider's queue takes no two of its batches: each waits for the one before."""
    requests = [
        *(line(desk, "vectors", number, dimensions=1) for number in range(LINES)),
        *(line(desk, "gpt", LINES + number, "[[fail:500:1]]") for number in range(HEALED)),
        *(line(desk, "called", LINES + HEALED + number) for number in range(CALLED)),
    ]
    desk.simulator.behave(
        desk.fault("stuck_batch", times=1, after_lines=1, name=desk.tenant.owner),
        desk.fault("queue_limit", lines=PROVIDERS_LINES),
        desk.fault("latency", "POST", "/chat/completions", seconds=LATENCY_SECONDS),
    )

    with cloud.step_seconds(**SECONDS):
        batch = desk.start(requests)
        wait_until(lambda: "failed" in [each["status"] for each in desk.provider_batches(batch.id)])
        desk.simulator.release(desk.tenant.owner)
        journey = desk.finish(requests, batch, pause_seconds=0.5)

    for function in SECONDS:
        assert "more" in cloud.steps_done(function, batch.id), function
    assert journey.end.status == "completed"
    assert journey.errors == []
    assert_well_told(journey)
    assert_answered(journey)
    assert again(desk, journey)["native"] == 0
    assert_charged(desk, journey)
    made = [each for each in desk.provider_batches(batch.id) if each["status"] == "completed"]
    assert sorted(each["total"] for each in made) == [HEALED, 8000, PROVIDERS_LINES]
