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
REFUSED_LINES = {7: "[[fail:400]]", 23: "[[fail:404]]"}
UPLOAD, CREATE = ("POST", "/files"), ("POST", "/batches")
POLL, CONTENT = ("GET", "/batches/*"), ("GET", "/files/*/content")

PLAN, SUBMIT, POLLING = "plan_batch", "submit_shard", "poll_shard"
COLLECT, FINALIZE, FAIL = "collect_shard", "finalize_batch", "fail_batch"
FINISH = "finish_shard"
ALL_THE_WAY = (PLAN, SUBMIT, POLLING, COLLECT, FINALIZE)
FINISHED = (*ALL_THE_WAY, FINISH)

A_WRITE = "dynamodb [PT]*Item*"  # PutItem, or TransactWriteItems where lines pass on
WRITES = ("start", "end", before(A_WRITE), after(A_WRITE))
MOMENTS: dict[str, tuple[str | Json, ...]] = {
    PLAN: (*WRITES, before("s3 PUT */shards.jsonl"), after("s3 PUT */shards.jsonl")),
    SUBMIT: WRITES,
    POLLING: WRITES,
    COLLECT: (*WRITES, before("s3 PUT */run-*"), after("s3 PUT */run-*")),
    FINISH: ("start", "end"),
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
    return at(call, "status", status=status, times=1, **details)


def dropped(call: tuple[str, str], when: str) -> Json:
    return at(call, "drop", when=when, times=1)


CALLS = (UPLOAD, CREATE, POLL, CONTENT)
QUEUE_FULL = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
BAD = {"code": "bad", "message": "It is bad."}
PAGE = "<html>Welcome</html>"
NOT_SENT = (PLAN, SUBMIT, FINALIZE, FAIL)
NOT_RUN = (PLAN, SUBMIT, POLLING, FINALIZE, FAIL)

PLACES = [
    Place("nothing"),
    Place("throttled", tuple(refusing(call, 429, retry_after=2) for call in CALLS)),
    Place("broken", tuple(refusing(call, 500) for call in CALLS)),
    Place("a proxy's errors", tuple(refusing(call, 502, body=PAGE) for call in CALLS)),
    Place("a proxy's pages", (refusing(CREATE, 200, body=PAGE), refusing(POLL, 200, body=PAGE))),
    Place("dropped before it is taken", tuple(dropped(call, "before") for call in CALLS)),
    Place("taken, then dropped", tuple(dropped(call, "after") for call in CALLS)),
    Place("cut in the answer", tuple(dropped(call, "during") for call in CALLS)),
    Place("slow", (at(("*", "*"), "slow", seconds=0.2),)),
    Place("slow answer to the create", (at(CREATE, "slow", when="after", seconds=1, times=1),)),
    Place("results truncated between lines", ({"kind": "truncated"},), answered="some"),
    Place(
        "results truncated in a line", ({"kind": "truncated", "mid_line": True},), answered="some"
    ),
    Place("results missing", ({"kind": "missing", "lines": 3},), answered="some"),
    Place("errors missing", ({"kind": "missing", "lines": 1, "file": "error"},)),
    Place(
        "results twice, strange ones and garbage",
        tuple({"kind": kind, "lines": 5} for kind in ("duplicated", "unknown_ids", "garbage")),
    ),
    Place(
        "strange looks at the batch",
        (
            {"kind": "odd_status", "polls": 2},
            {"kind": "lagging_counts", "polls": 2},
            {"kind": "late_output", "polls": 2},
        ),
    ),
    Place("an error file without a name", ({"kind": "empty_error_file"},)),
    Place("expired", ({"kind": "expired_batch", "after_lines": 15},), states=FINISHED),
    Place("queue full", ({"kind": "failed_batch", "errors": [QUEUE_FULL], "times": 2},)),
    Place("failed", ({"kind": "failed_batch", "errors": [BAD]},), "failed", "none", NOT_RUN),
    Place("vanished", ({"kind": "vanished_batch"},), "failed", "none", NOT_RUN),
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


def times_struck(place: Place, trips: dict[str, Running], cloud: RunningCloud) -> list[int]:
    """How often each fault of a place has struck."""
    struck = iter(cloud.simulator.struck())
    counts = {name: [next(struck) for _ in running.trip.faults] for name, running in trips.items()}
    return counts[place.name]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_state_is_killed_once_and_the_promises_hold(
    place: Place, trips: dict[str, Running], cloud: RunningCloud
) -> None:
    trip = trips[place.name].trip
    journey = trips[place.name].journey.result()

    assert_promises(journey, cloud.simulator)
    assert journey.end.status == place.status
    assert sorted(trip.desk.killed()) == sorted(place.states)
    assert all(times_struck(place, trips, cloud)), "a fault had no occasion"
    answerable = LINES - len(REFUSED_LINES)
    expected = {"all": {answerable}, "none": {0}, "some": set(range(1, answerable))}
    assert len(journey.output) in expected[place.answered]
