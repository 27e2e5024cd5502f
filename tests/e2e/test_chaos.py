"""Whatever the provider does wrong, and whichever process dies meanwhile, the promises hold.

Each place in which the simulator can misbehave has a batch of its own; while it runs, the function of
every state is killed once, each time at another moment. All run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Journey, Json, after, assert_promises, before

AT_A_TIME = 8
LINES = 40
REFUSED_LINES = {7: "[[fail:400]]", 23: "[[fail:500]]"}
UPLOAD, CREATE = ("POST", "/files"), ("POST", "/batches")
POLL, CONTENT = ("GET", "/batches/*"), ("GET", "/files/*/content")

PLAN, SUBMIT, POLLING = "plan_batch", "submit_shard", "poll_shard"
COLLECT, FINALIZE, FAIL = "collect_shard", "finalize_batch", "fail_batch"
ALL_THE_WAY = (PLAN, SUBMIT, POLLING, COLLECT, FINALIZE)


WRITES = ("start", "end", before("dynamodb PutItem"), after("dynamodb PutItem"))
MOMENTS: dict[str, tuple[str | Json, ...]] = {
    PLAN: (*WRITES, before("s3 PUT */shards.jsonl"), after("s3 PUT */shards.jsonl")),
    SUBMIT: WRITES,
    POLLING: WRITES,
    COLLECT: (*WRITES, before("s3 PUT */run-*"), after("s3 PUT */run-*")),
    FINALIZE: (*WRITES, before("s3 PUT */files/*"), after("s3 PUT */files/*")),
    FAIL: (*WRITES, before("s3 PUT */files/*"), after("s3 PUT */files/*")),
}


@dataclass(frozen=True)
class Place:
    """Where the provider misbehaves, and what is to come of it all the same.

    `faults` are those of local.simulator.faults; `answered` says which of the lines that can be
    answered are; `states` are those that the batch passes through.
    """

    name: str
    faults: tuple[Json, ...] = ()
    status: str = "completed"
    answered: str = "all"
    states: tuple[str, ...] = ALL_THE_WAY


def at(call: tuple[str, str], kind: str, **details: Any) -> Json:
    return {"kind": kind, "match": {"method": call[0], "path": call[1]}, **details}


def refusing(call: tuple[str, str], status: int, **details: Any) -> Json:
    return at(call, "status", status=status, times=2, **details)


QUEUE_FULL = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
NOT_SENT = (PLAN, SUBMIT, FINALIZE, FAIL)
NOT_RUN = (PLAN, SUBMIT, POLLING, FINALIZE, FAIL)

PLACES = [
    Place("nothing"),
    Place("upload throttled", (refusing(UPLOAD, 429, retry_after=2),)),
    Place("create throttled", (refusing(CREATE, 429, retry_after=2),)),
    Place("poll throttled", (refusing(POLL, 429, retry_after=2),)),
    Place("content throttled", (refusing(CONTENT, 429, retry_after=2),)),
    Place("upload 500", (refusing(UPLOAD, 500),)),
    Place("create 500", (refusing(CREATE, 500),)),
    Place("poll 502 of a proxy", (refusing(POLL, 502, body="<html>Bad gateway</html>"),)),
    Place("content 500", (refusing(CONTENT, 500),)),
    Place("create answered with a page", (refusing(CREATE, 200, body="<html>Welcome</html>"),)),
    Place("upload dropped", (at(UPLOAD, "drop", when="before", times=1),)),
    Place("create dropped", (at(CREATE, "drop", when="before", times=1),)),
    Place("poll dropped", (at(POLL, "drop", when="before", times=2),)),
    Place("content dropped", (at(CONTENT, "drop", when="before", times=2),)),
    Place("upload taken, then dropped", (at(UPLOAD, "drop", when="after", times=1),)),
    Place("create taken, then dropped", (at(CREATE, "drop", when="after", times=1),)),
    Place("create cut in its answer", (at(CREATE, "drop", when="during", times=1),)),
    Place("content cut in its answer", (at(CONTENT, "drop", when="during", times=2),)),
    Place("slow everywhere", (at(("*", "*"), "slow", seconds=0.2),)),
    Place("slow after the create", (at(CREATE, "slow", when="after", seconds=1, times=1),)),
    Place("results truncated between lines", ({"kind": "truncated"},), answered="some"),
    Place(
        "results truncated in a line", ({"kind": "truncated", "mid_line": True},), answered="some"
    ),
    Place("results twice", ({"kind": "duplicated", "lines": 5},)),
    Place("results missing", ({"kind": "missing", "lines": 3},), answered="some"),
    Place("errors missing", ({"kind": "missing", "lines": 1, "file": "error"},)),
    Place("results with garbage", ({"kind": "garbage", "lines": 3},)),
    Place("results with unknown ids", ({"kind": "unknown_ids", "lines": 3},)),
    Place("odd status", ({"kind": "odd_status", "polls": 2},)),
    Place("counts that lag", ({"kind": "lagging_counts", "polls": 2},)),
    Place("output that comes late", ({"kind": "late_output", "polls": 2},)),
    Place("an error file without a name", ({"kind": "empty_error_file"},)),
    Place("expired", ({"kind": "expired_batch", "after_lines": 15},), "expired", "some"),
    Place("queue full once", ({"kind": "failed_batch", "errors": [QUEUE_FULL], "times": 1},)),
    Place(
        "failed batch",
        ({"kind": "failed_batch", "errors": [{"code": "bad", "message": "It is bad."}]},),
        "failed",
        "none",
        NOT_RUN,
    ),
    Place("vanished", ({"kind": "vanished_batch", "after_polls": 0},), "failed", "none", NOT_RUN),
    Place("key refused", ({"kind": "refused_key"},), "failed", "none", NOT_SENT),
    Place("model unknown", ({"kind": "unknown_model"},), "failed", "none", NOT_RUN),
]


class Trip:
    """One batch on its way through its place."""

    def __init__(self, number: int, place: Place, cloud: RunningCloud) -> None:
        self.place = place
        self.desk = Desk(cloud, cloud.new_tenant())
        self._number = number

    @property
    def faults(self) -> list[Json]:
        key = {"key": self.desk.tenant.provider_key}
        return [
            {**fault, "match": {**fault.get("match", {}), **key}} for fault in self.place.faults
        ]

    def run(self) -> Journey:
        for place, state in enumerate(self.place.states):
            moments = self._moments(state)
            self.desk.kill(state, moments[(self._number + place) % len(moments)])
        requests = self.desk.questions(LINES)
        for number, order in REFUSED_LINES.items():
            requests[number]["body"]["messages"][0]["content"] += f" {order}"
        with self.desk.client:
            return self.desk.run(requests, pause_seconds=0.5)

    def _moments(self, state: str) -> Sequence[str | Json]:
        """FinalizeBatch writes nothing where FailBatch is to."""
        is_idle = state == FINALIZE and FAIL in self.place.states
        return WRITES[:2] if is_idle else MOMENTS[state]


@dataclass(frozen=True)
class Running:
    trip: Trip
    journey: Future[Journey]


@pytest.fixture(scope="module")
def trips(cloud: RunningCloud) -> Iterator[dict[str, Running]]:
    """All trips, under way."""
    trips = [Trip(number, place, cloud) for number, place in enumerate(PLACES)]
    cloud.simulator.behave(*(fault for trip in trips for fault in trip.faults))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {trip.place.name: Running(trip, pool.submit(trip.run)) for trip in trips}
    cloud.simulator.behave()
    cloud.forget_kills()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_state_is_killed_once_and_the_promises_hold(
    place: Place, trips: dict[str, Running], cloud: RunningCloud
) -> None:
    trip = trips[place.name].trip
    journey = trips[place.name].journey.result()

    assert_promises(journey, cloud.simulator)
    assert journey.end.status == place.status
    assert sorted(trip.desk.killed()) == sorted(place.states)
    answerable = LINES - len(REFUSED_LINES)
    expected = {"all": {answerable}, "none": {0}, "some": set(range(1, answerable))}
    assert len(journey.output) in expected[place.answered]
