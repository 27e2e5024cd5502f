"""Lines that failed run again, others answer in their place, and the end of the window is no end of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import openai
import pytest
from openai.types import Batch

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import (
    Desk,
    Json,
    assert_promises,
    assert_well_told,
    details_of,
    open_buyers_desk,
)
from tests.e2e.market import WITHOUT_KEY, name_of
from tests.e2e.mixed import LANES, assert_answered, assert_charged, line
from tests.patience import wait_until

pytestmark = pytest.mark.of("anthropic", "cohere")

LEFT_SECONDS = 250
"""Of a window that is about to end: in its last five minutes lines are finished directly."""


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_buyers_desk(cloud) as desk:
        yield desk


def test_a_batch_is_retried_when_it_has_ended_and_its_output_is_merged(desk: Desk) -> None:
    """Each of the failing lines fails once; the retry, on the same lanes, answers it."""
    wares = ["gpt", "claude", "command"]
    requests = [line(desk, wares[number % 3], number) for number in range(30)]
    for number in (4, 9, 14):
        requests[number] = line(desk, wares[number % 3], number, "[[fail:422:1]]")
    desk.simulator.behave(desk.fault("stuck_batch", times=1, after_lines=3, name=desk.tenant.owner))
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)

    with pytest.raises(openai.ConflictError, match="Wait until it has ended"):
        desk.retry(batch.id)
    desk.simulator.behave()
    desk.simulator.release()
    journey = desk.finish(requests, batch)
    child = desk.follow(desk.retry(batch.id))[-1]
    lines, _, is_last = desk.read_output(batch.id, merged="true")

    assert [each["custom_id"] for each in journey.errors] == [
        requests[number]["custom_id"] for number in (4, 9, 14)
    ]
    assert (child.status, details_of(child)["retry_of"]) == ("completed", batch.id)
    assert child.request_counts
    assert child.request_counts.to_dict() == {"total": 3, "completed": 3, "failed": 0}
    assert [each["custom_id"] for each in lines] == [each["custom_id"] for each in requests]
    assert [each["error"] for each in lines] == [None] * 30
    assert is_last
    assert sum(row["answers"] for row in desk.billed()) == 30
    with pytest.raises(openai.ConflictError, match="without failed requests"):
        desk.retry(child.id)


def test_others_answer_for_a_provider_that_refuses_its_key_and_a_missing_key_fails_its_own_lines(
    desk: Desk,
) -> None:
    requests = [
        line(desk, ("claude", "gpt", WITHOUT_KEY)[number % 3], number) for number in range(12)
    ]
    refused = desk.fault("refused_key")
    refused["match"]["provider"] = "anthropic"
    desk.simulator.behave(refused)

    journey = desk.run(requests)

    assert journey.end.status == "completed"
    assert_well_told(journey)
    assert_answered(journey)
    assert_charged(desk, journey)
    answered_by = [each["response"]["body"]["model"] for each in journey.output]
    assert answered_by == [name_of(desk.tenant, ware) for ware in ("command", "gpt")] * 4
    assert [each["custom_id"] for each in journey.errors] == [
        each["custom_id"] for each in requests[2::3]
    ]
    for each in journey.errors:
        assert "NIGHTMAIL_NOBODY_HAS_THIS" in each["error"]["message"]


def test_what_the_native_lane_owes_near_the_end_is_cancelled_there_and_finished_directly(
    desk: Desk, cloud: RunningCloud
) -> None:
    """The test moves the window's end to where the batch is."""
    desk.simulator.behave(desk.fault("stuck_batch", after_lines=5, name=desk.tenant.owner))
    requests = desk.questions(20, model=name_of(desk.tenant, "gpt"))
    options = {"extra_body": {"nightmail": {"on_deadline": "finish_direct"}}}
    batch = desk.start(requests, window="1h", **options)
    desk.simulator.until_waiting(desk.tenant.owner)
    wait_until(lambda: desk.calls(method="GET", path="/batches/*"))

    expire_in(cloud, desk, batch, LEFT_SECONDS)
    journey = desk.finish(requests, batch)

    assert journey.end.status == "completed"
    assert_promises(journey, desk.simulator)
    assert journey.errors == []
    assert_charged(desk, journey)
    assert [each["status"] for each in desk.provider_batches(batch.id)] == ["cancelled"]
    answers = {LANES[row["lane"]]: row["answers"] for row in desk.billed()}
    assert answers == {"native": 5, "direct": 15}


def expire_in(cloud: RunningCloud, desk: Desk, batch: Batch, seconds: int) -> None:
    """No window is shorter than an hour: the end of this one is brought near."""
    cloud.session.client("dynamodb").update_item(
        TableName=cloud.outputs["TableName"],
        Key={"pk": {"S": f"OWNER#{desk.tenant.owner}"}, "sk": {"S": f"BATCH#{batch.id}"}},
        UpdateExpression="SET expires_at = :end",
        ExpressionAttributeValues={":end": {"N": str(int(time.time()) + seconds)}},
    )


def test_what_is_there_of_a_running_batch_is_read_line_by_line_while_its_workers_die(
    desk: Desk,
) -> None:
    """By cursor each line comes once, and none that another look takes back."""
    moments: list[str | Json] = ["start", "end", {"after_ms": 300}, {"after_ms": 900}]
    for moment in moments:
        desk.kill("run_chunk", moment)
    wares = ["called", "called", "command", "gpt"]
    requests = [line(desk, wares[number % 4], number) for number in range(1200)]
    latency = {"kind": "latency", "seconds": 0.05, "match": {"key": desk.tenant.provider_key}}
    desk.simulator.behave(latency)
    batch = desk.start(requests)

    pages: list[int] = []
    found: dict[str, Json] = {}
    query: dict[str, str] = {"limit": "100"}

    def has_ended() -> bool:
        lines, query["after"], is_last = desk.read_output(batch.id, **query)
        fresh = {each["custom_id"]: each for each in lines}
        assert len(fresh) == len(lines)
        assert not fresh.keys() & found.keys(), "a line came twice"
        found.update(fresh)
        pages.append(len(lines))
        return is_last

    wait_until(has_ended, pause_seconds=0.05)
    journey = desk.finish(requests, batch)

    assert desk.killed() == ["run_chunk"] * len(moments)
    assert len([count for count in pages if count]) > 1
    assert found == {each["custom_id"]: each for each in journey.output}
    assert len(found) == len(requests)
    assert journey.end.status == "completed"


def test_a_dry_run_tells_what_a_batch_would_be_and_sends_nothing(desk: Desk) -> None:
    wares = ["gpt", "claude", "called", "embed"]
    requests = [line(desk, wares[number % 4], number) for number in range(400)]

    estimated = desk.start(requests, extra_body={"nightmail": {"dry_run": True}})
    journey = desk.run(requests)

    assert estimated.status == "completed"
    assert (estimated.output_file_id, estimated.error_file_id) == (None, None)
    estimate = details_of(estimated)["estimate"]
    assert (estimate["lines"], estimate["shards"], estimate["chunks"]) == (400, 2, 2)
    assert [(each["lane"], each["lines"]) for each in estimate["lanes"]] == [
        ("native", 200),
        ("direct", 200),
    ]
    assert {each["model"] for each in estimate["ways"]} == {
        name_of(desk.tenant, ware) for ware in wares
    }
    assert estimate["cost"] > 0
    assert sum(row["answers"] for row in desk.billed()) == 400, "the dry run has paid nothing"
    assert_charged(desk, journey)
