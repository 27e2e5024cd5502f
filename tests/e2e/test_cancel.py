"""A batch can be cancelled at every stage until its results are being written."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Json, after, assert_promises, before, open_desk
from tests.patience import wait_until

LINES = 12


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def test_before_it_is_planned_nothing_is_sent(desk: Desk) -> None:
    desk.kill("plan_batch", times=2)
    requests = desk.questions(LINES)
    batch = desk.start(requests)

    cancelling = desk.client.batches.cancel(batch.id)
    end = desk.follow(cancelling)[-1]

    assert cancelling.status == "cancelling"
    assert end.status == "cancelled"
    assert end.in_progress_at is None
    assert end.output_file_id is end.error_file_id is None
    assert desk.calls() == []


@pytest.mark.parametrize(
    ("call", "answered"),
    [(("POST", "/files"), 0), (("POST", "/batches"), 0), (("GET", "/files/*/content"), LINES)],
    ids=["while its file is sent", "while it is submitted", "while its results are fetched"],
)
def test_what_there_is_by_then_is_delivered(
    desk: Desk, call: tuple[str, str], answered: int
) -> None:
    hold = desk.fault("hold", *call, when="after", name=desk.tenant.owner, times=1)
    stuck = desk.fault("stuck_batch", at="validating", name="validating")
    desk.simulator.behave(hold, *([] if answered else [stuck]))
    requests = desk.questions(LINES)
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)

    cancelling = desk.client.batches.cancel(batch.id)
    desk.simulator.release(desk.tenant.owner)
    journey = desk.finish(requests, cancelling)

    assert journey.end.status == "cancelled"
    assert len(journey.output) == answered
    assert {line["error"]["code"] for line in journey.errors} <= {"batch_cancelled"}
    assert_promises(journey, desk.simulator)
    statuses = {each["status"] for each in desk.provider_batches(batch.id)}
    assert statuses <= {"cancelled" if not answered else "completed"}


def test_while_its_results_are_written_it_is_too_late(desk: Desk) -> None:
    desk.kill("finalize_batch", before("s3 PUT */files/*"), times=3)
    requests = desk.questions(LINES)
    batch = desk.start(requests)
    wait_until(lambda: desk.client.batches.retrieve(batch.id).status == "finalizing")

    with pytest.raises(openai.ConflictError, match="finalizing"):
        desk.client.batches.cancel(batch.id)

    journey = desk.finish(requests, batch)
    assert journey.end.status == "completed"
    assert_promises(journey, desk.simulator)


@pytest.mark.parametrize(
    "moment",
    [before("dynamodb PutItem"), after("dynamodb PutItem"), "end"],
    ids=["before its write", "after its write", "at its end"],
)
def test_a_cancel_that_died_is_said_again_by_the_client(desk: Desk, moment: str | Json) -> None:
    desk.simulator.behave(desk.fault("stuck_batch", after_lines=4, name=desk.tenant.owner))
    requests = desk.questions(LINES)
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)
    desk.kill("batches", moment)

    cancelling = desk.client.batches.cancel(batch.id)
    journey = desk.finish(requests, cancelling)

    assert desk.killed() == ["batches"]
    assert cancelling.status in {"cancelling", "cancelled"}
    assert journey.end.status == "cancelled"
    assert len(journey.output) == 4
    assert_promises(journey, desk.simulator)
