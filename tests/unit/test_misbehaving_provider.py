"""Whole lives of batches at a provider that errs: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import re

import pytest
from nightmail.batch import BatchStatus

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import NATIVE_LANES, those
from tests.unit.world import World, as_jsonl, request, requests

LINES = 6
CALLS = pytest.mark.parametrize("call", ["upload", "create", "poll", "content"])


@pytest.fixture
def world(simulator: SimulatorClient, native: NativeLane) -> World:
    return World(simulator, provider=native.provider)


_EXPLAINING = [lane.provider for lane in NATIVE_LANES.values() if lane.validates and lane.explains]


@pytest.fixture(params=_EXPLAINING)
def validating(simulator: SimulatorClient, request: pytest.FixtureRequest) -> World:
    """At a provider that may fail a batch that it has taken, and says why."""
    return World(simulator, provider=request.param)


def call_of(world: World, call: str) -> Json:
    """Where a call of a batch's life goes; whoever has no upload has his lines in the creation."""
    return world.native.calls.get(call, world.native.create)


def finish(world: World, *faults: Json, lines: list[Json] | None = None) -> str:
    """Run a batch at a provider with these faults to its end; answers its status."""
    world.simulator.behave(*faults)
    world.create(lines or requests(LINES))
    world.run()
    return world.batch.status.value


def check_all_answered(world: World) -> None:
    assert len(world.check_promises(requests(LINES)).output) == LINES


# ---- Refusals that heal


@CALLS
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 529])
def test_a_call_that_is_refused_for_a_while_is_made_again(
    world: World, call: str, status: int
) -> None:
    match = call_of(world, call)
    assert finish(world, {"kind": "status", "status": status, "times": 2, "match": match}) == (
        "completed"
    )
    check_all_answered(world)
    assert len(world.provider_batches()) == 1


@pytest.mark.parametrize("wanted", [600, 3600])
@CALLS
def test_nobody_asks_before_the_time_that_the_provider_wants_within_a_quarter_of_an_hour(
    world: World, call: str, wanted: int
) -> None:
    """No longer than that: a batch that is cancelled meanwhile is not to wait for it."""
    match = call_of(world, call)
    busy = {"kind": "status", "status": 429, "retry_after": wanted, "times": 1, "match": match}
    started = world.now
    assert finish(world, busy) == "completed"
    assert min(wanted, 900) <= world.now - started < 3600


@pytest.mark.parametrize("when", ["before", "during", "after"])
@CALLS
def test_a_dropped_connection_costs_nothing(world: World, call: str, when: str) -> None:
    match = call_of(world, call)
    assert finish(world, {"kind": "drop", "when": when, "times": 1, "match": match}) == "completed"
    check_all_answered(world)
    assert len(world.provider_batches()) == 1


@pytest.mark.parametrize("call", ["upload", "create", "poll"])
def test_an_answer_that_is_no_json_is_asked_for_again(world: World, call: str) -> None:
    match = call_of(world, call)
    garbled = {"kind": "status", "status": 200, "body": "<html>", "times": 1, "match": match}
    assert finish(world, garbled) == "completed"
    check_all_answered(world)
    assert len(world.provider_batches()) == 1


@those(lambda lane: lane.lists)
def test_a_batch_is_adopted_although_the_list_is_out_of_reach_for_a_while(world: World) -> None:
    lost = {"kind": "drop", "when": "after", "times": 1, "match": world.native.create}
    away = {"kind": "status", "status": 500, "times": 5, "match": world.native.list}
    assert finish(world, lost, away) == "completed"
    check_all_answered(world)
    assert len(world.provider_batches()) == 1


def test_a_full_queue_is_waited_for_and_the_file_is_kept(validating: World) -> None:
    errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}]
    assert finish(validating, {"kind": "failed_batch", "errors": errors, "times": 3}) == "completed"
    check_all_answered(validating)
    assert len(validating.provider_batches()) == 4
    assert len(validating.simulator.calls(**call_of(validating, "upload"))) == 1


def test_a_queue_that_stays_full_until_the_window_ends_expires_the_batch(validating: World) -> None:
    errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}]
    assert finish(validating, {"kind": "failed_batch", "errors": errors}) == "expired"
    assert validating.check_promises(requests(LINES)).error_codes == ["batch_expired"] * LINES
    # An execution has 25,000 events, and a round takes about twenty.
    assert len(validating.provider_batches()) < 200


def test_an_unclear_answer_after_a_full_queue_does_not_adopt_the_batch_that_failed(
    validating: World,
) -> None:
    errors = [{"code": "token_limit_exceeded", "message": "Full."}]
    validating.simulator.behave({"kind": "failed_batch", "errors": errors})
    validating.create(requests(LINES))
    validating.step("PlanBatch")
    validating.step("SubmitShard", 1)
    validating.simulator.until_settled()
    assert validating.step("PollShard", 1)["next"] == "submit"
    validating.simulator.behave({"kind": "drop", "times": 1, "match": validating.native.create})
    assert validating.step("SubmitShard", 1)["next"] == "submit"
    assert validating.step("SubmitShard", 1)["next"] == "submit"
    assert validating.shard.looks == 1
    validating.run()
    check_all_answered(validating)
    assert [batch["status"] for batch in validating.provider_batches()] == ["failed", "completed"]


def test_a_file_that_the_provider_cannot_find_is_uploaded_again(validating: World) -> None:
    errors = [{"code": "invalid_request", "param": "file_id", "message": "Cannot find file."}]
    assert finish(validating, {"kind": "failed_batch", "errors": errors, "times": 1}) == "completed"
    check_all_answered(validating)
    assert len(validating.simulator.calls(**call_of(validating, "upload"))) == 2


# ---- Odd results


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "duplicated", "lines": 3},
        {"kind": "garbage", "lines": 3},
        {"kind": "unknown_ids", "lines": 3},
        {"kind": "late_output", "polls": 3},
        {"kind": "lagging_counts"},
        {"kind": "empty_error_file"},
        {"kind": "odd_status", "polls": 3},
    ],
    ids=lambda fault: fault["kind"],
)
def test_every_answer_is_found_in_odd_results(world: World, fault: Json) -> None:
    assert finish(world, fault) == "completed"
    check_all_answered(world)
    assert world.batch.error_file_id is None


def test_answers_that_are_shown_later_than_errors_are_waited_for(world: World) -> None:
    lines = [*requests(3), request(4, "[[fail:400]]")]
    assert finish(world, {"kind": "late_output", "polls": 2}, lines=lines) == "completed"
    results = world.check_promises(lines)
    assert len(results.output) == 3
    assert results.errors[0]["response"]["status_code"] == 400


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ({"kind": "missing", "lines": 2}, 2),
        ({"kind": "truncated"}, 3),
        ({"kind": "truncated", "mid_line": True}, 3),
    ],
    ids=["missing", "truncated", "mid_line"],
)
def test_what_the_provider_never_shows_is_told_line_by_line(
    world: World, fault: Json, lost: int
) -> None:
    assert finish(world, fault) == "completed"
    results = world.check_promises(requests(LINES), lost=lost)
    assert results.error_codes == ["provider_result_missing"] * lost
    assert len(world.simulator.calls(**world.native.create)) == 1


def test_a_connection_that_breaks_again_and_again_in_the_results_gets_them_all(
    world: World,
) -> None:
    torn = {"kind": "drop", "when": "during", "times": 4, "match": world.native.content}
    assert finish(world, torn) == "completed"
    check_all_answered(world)


# ---- Ends that a provider chooses


def test_a_batch_that_the_provider_fails_shows_its_errors_with_our_line_numbers(
    validating: World,
) -> None:
    errors = [
        {"code": "invalid_request", "message": "Bad sk-abcdef123456.", "param": "body.n", "line": 2}
    ]
    validating.simulator.behave({"kind": "failed_batch", "errors": errors})
    one, two, three = as_jsonl(requests(3)).splitlines(keepends=True)
    validating.create(b"\n" + one + b"\n\n" + two + three)
    assert validating.run().state == "BatchFailed"
    assert validating.batch.status is BatchStatus.FAILED
    (error,) = validating.batch.errors
    assert (error.code, error.param, error.line) == ("invalid_request", "body.n", 5)
    assert error.message == "Bad ***."
    told = validating.check_promises(requests(3)).errors
    assert [line["error"]["code"] for line in told] == [
        "provider_error",
        "invalid_request",
        "provider_error",
    ]


def test_a_thousand_long_errors_of_a_provider_do_not_break_the_batch(validating: World) -> None:
    errors = [{"code": "c" * 1000, "message": "🦉" * 5000, "line": 1} for _ in range(1000)]
    assert finish(validating, {"kind": "failed_batch", "errors": errors}) == "failed"
    assert len(validating.batch.errors) == 100


@CALLS
def test_a_refused_key_fails_the_batch_in_the_words_of_the_provider(
    world: World, call: str
) -> None:
    finish(world, {"kind": "refused_key", "match": call_of(world, call)})
    lost = LINES if call in {"poll", "content"} else 0
    results = world.check_promises(requests(LINES), lost=lost)
    message = results.errors[0]["error"]["message"]
    assert re.match(rf"{world.provider} answered 40[01]: ", message)
    assert "0123456789" not in message
    if call != "content":  # by then all is done but the fetching
        assert world.batch.status is BatchStatus.FAILED
        assert world.batch.errors[0].message == message


def test_a_model_that_the_provider_does_not_know_fails_all_lines(world: World) -> None:
    status = finish(world, {"kind": "unknown_model"})
    assert len(world.check_promises(requests(LINES)).errors) == LINES
    is_failed_later = world.native.validates and not world.shard.is_unfit
    assert status == ("failed" if is_failed_later else "completed")


def test_a_batch_that_vanished_fails(world: World) -> None:
    assert finish(world, {"kind": "vanished_batch"}) == "failed"
    assert world.batch.errors[0].message.startswith(f"{world.provider} answered 404: ")
    assert len(world.check_promises(requests(LINES), paid_once=False).errors) == LINES


def test_a_new_batch_may_be_unknown_for_a_moment(world: World) -> None:
    lag = {"kind": "status", "status": 404, "times": 3, "match": world.native.poll}
    assert finish(world, lag) == "completed"
    check_all_answered(world)


@those(lambda lane: not lane.names_batches)
def test_a_submission_that_cannot_be_looked_for_is_not_made_again(world: World) -> None:
    lost = {"kind": "drop", "when": "after", "match": world.native.create}
    no_list = {"kind": "status", "status": 405, "match": world.native.list}
    assert finish(world, lost, no_list) == "failed"
    assert len(world.provider_batches()) == 1
    assert world.batch.errors[0].code == "submission_unclear"
    assert "Nothing was submitted again" in world.batch.errors[0].message


def test_a_provider_that_never_answers_clearly_is_asked_less_and_less(world: World) -> None:
    ended = finish(world, {"kind": "drop", "when": "before", "match": world.native.create})
    assert ended == ("expired" if world.native.cancels else "completed")
    assert world.provider_batches() == []
    assert len(world.simulator.calls(**world.native.create)) < 200


def test_an_address_that_is_none_fails_the_batch_at_once(world: World) -> None:
    world.api_base = "not-a-url"
    assert finish(world) == "failed"
    assert "api_base" in world.batch.errors[0].message
