"""Whole lives of batches, driven by the state machine's own file: good ones, cancelled ones, late ones."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.part import Ending
from nightmail.providers.base import Limits
from nightmail.shard import ShardState

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import KILLED, those
from tests.unit.world import A_TOKEN, World, as_jsonl, request, requests

DAY = 86_400
GRACE = 900 + 900  # the provider's, and one more look
STOPPING = 3 * 3600 + 900  # where it has agreed to stop


@pytest.fixture
def world(simulator: SimulatorClient, native: NativeLane) -> World:
    return World(simulator, provider=native.provider)


def finish(world: World, lines: list[Json], **changes: Any) -> str:
    """Run a batch of these lines to its end; answers its status."""
    world.create(lines, **changes)
    world.run()
    return world.batch.status.value


# ---- Completed


def test_a_batch_is_answered_in_the_order_of_its_input(world: World) -> None:
    assert finish(world, requests(12)) == "completed"
    assert len(world.check_promises(requests(12)).output) == 12
    assert world.batch.error_file_id is None
    assert world.machine.visited[-1] == "BatchEnded"


@those(lambda lane: lane.provider in KILLED)
def test_a_batch_lives_the_same_life_in_aws(
    aws: None, simulator: SimulatorClient, native: NativeLane
) -> None:
    world = World.in_aws(simulator, lines_a_run=5, provider=native.provider)
    lines = [*requests(12), request(13, "[[fail:400]]")]
    assert finish(world, lines) == "completed"
    assert len(world.check_promises(lines).output) == 12


def test_the_usage_and_the_cost_of_the_answers_is_summed(world: World) -> None:
    finish(world, requests(3))
    answers = [line["response"]["body"]["usage"] for line in world.results().output]
    assert world.batch.usage.input_tokens == sum(usage["prompt_tokens"] for usage in answers) > 0
    assert world.batch.usage.output_tokens == sum(usage["completion_tokens"] for usage in answers)
    (bill,) = world.batch.bills
    assert bill.key == ("gpt-5-mini", world.provider, "native")
    assert bill.cost.amount == A_TOKEN / 2 * sum(usage["total_tokens"] for usage in answers)
    assert bill.cost.synchronous == bill.cost.amount * 2


def test_lines_that_fail_go_to_the_error_file_with_the_answer_of_the_api(world: World) -> None:
    lines = [request(1), request(2, "[[fail:400]]"), request(3), request(4, "[[fail:403]]")]
    assert finish(world, lines) == "completed"
    errors = world.check_promises(lines).errors
    assert [line["response"]["status_code"] for line in errors] == [400, 403]
    assert all(line["response"]["body"]["error"]["message"] for line in errors)


def test_a_batch_whose_lines_all_failed_is_completed_without_an_output_file(world: World) -> None:
    lines = [request(number, "[[fail:400]]") for number in (1, 2)]
    assert finish(world, lines) == "completed"
    assert world.batch.output_file_id is None
    assert len(world.check_promises(lines).errors) == 2


def test_custom_ids_come_back_character_for_character(world: World) -> None:
    strange = [
        '"quoted"',
        "\\",
        "a\nb\r\n\t\x00\x7f",
        "🦉" * 512,
        " ",
        "7",
        "é\u0301\u2028",
        "null",
    ]
    lines = [request(number, custom_id=one) for number, one in enumerate(strange, 1)]
    assert finish(world, lines) == "completed"
    assert [line["custom_id"] for line in world.check_promises(lines).output] == strange


def test_blank_lines_carriage_returns_and_a_missing_last_newline_are_taken(world: World) -> None:
    lines = requests(3)
    one, two, three = as_jsonl(lines).splitlines()
    world.create(b"\n" + one + b"\r\n\n  \t\r\n" + two + b"\n" + three)
    world.run()
    assert len(world.check_promises(lines).output) == 3


def test_many_shards_make_one_output_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.native.format, "limits", Limits(lines=4, bytes=10_000))
    assert finish(world, requests(10)) == "completed"
    assert [shard.lines for shard in world.shards] == [4, 4, 2]
    assert len(world.check_promises(requests(10)).output) == 10


def test_the_provider_is_told_its_own_name_of_the_model(world: World) -> None:
    finish(world, requests(2))
    created = world.provider_batches()[0]
    assert created["model"].startswith(world.deployment().model)
    assert world.shards[0].provider_batch_id == created["id"]


# ---- Refused files


def test_a_wrong_file_fails_with_every_bad_line_and_nothing_is_sent(world: World) -> None:
    wrong = [b"no json", as_jsonl([request(2, url="/v1/embeddings")]).strip(), b'{"custom_id":"c"}']
    world.create(b"\n".join([as_jsonl(requests(1)).strip(), *wrong]), strict=True)
    assert world.run().state == "BatchFailed"
    assert [(error.code, error.line, error.param) for error in world.batch.errors] == [
        ("invalid_json_line", 2, None),
        ("invalid_url", 3, "url"),
        ("missing_required_parameter", 4, "method"),
    ]
    assert world.batch.counts.total == 0
    assert world.simulator.calls() == []


def test_an_unknown_input_file_fails_the_batch(world: World) -> None:
    world.create(requests(1), input_file_id="file-unknown")
    world.run()
    assert world.batch.status is BatchStatus.FAILED
    assert "Cannot find file file-unknown" in world.batch.errors[0].message


# ---- Cancelled


@pytest.mark.parametrize("state", ["PlanBatch", "RoutePlan", "RunShards", "SubmitShard"])
def test_a_batch_cancelled_before_its_submission_is_never_submitted(
    world: World, state: str
) -> None:
    world.cancel_at = state
    assert finish(world, requests(3)) == "cancelled"
    assert world.simulator.batches() == []
    if world.batch.shards:
        codes = world.check_promises(requests(3)).error_codes
        assert codes == ["batch_cancelled"] * 3
    else:
        assert world.batch.counts.total == 0
        assert world.batch.error_file_id is None


@those(lambda lane: lane.cancels)
@pytest.mark.parametrize("state", ["WaitToPoll", "PollShard"])
def test_a_batch_cancelled_while_it_runs_keeps_what_was_answered(world: World, state: str) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    world.cancel_at = state
    assert finish(world, requests(5)) == "cancelled"
    results = world.check_promises(requests(5))
    assert len(results.output) == 2
    assert results.error_codes == ["batch_cancelled"] * 3
    assert world.provider_batches()[0]["status"] == "cancelled"


@pytest.mark.parametrize("state", ["WaitToCollect", "CollectShard", "ShardEnded", "FinalizeBatch"])
def test_a_batch_cancelled_after_its_answers_delivers_them(world: World, state: str) -> None:
    world.cancel_at = state
    assert finish(world, requests(3)) == "cancelled"
    assert len(world.check_promises(requests(3)).output) == 3


def test_a_batch_that_is_being_finalized_is_no_longer_cancelled(world: World) -> None:
    world.cancel_at = "RouteFinalize"
    assert finish(world, requests(3)) == "completed"


@those(lambda lane: lane.cancels)
def test_a_provider_that_never_stops_a_cancelled_batch_holds_nobody_up(world: World) -> None:
    deaf = {"kind": "status", "status": 200, "body": "{}", "match": world.native.cancel}
    world.simulator.behave({"kind": "stuck_batch"}, deaf)
    world.cancel_at = "WaitToPoll"
    assert finish(world, requests(3)) == "cancelled"
    assert (world.batch.cancelled_at or 0) - (world.batch.cancelling_at or 0) <= STOPPING
    assert len(world.simulator.calls(**world.native.cancel))
    assert world.check_promises(requests(3)).error_codes == ["batch_cancelled"] * 3


@those(lambda lane: lane.cancels)
def test_a_provider_that_refuses_to_cancel_does_not_cost_us_its_answers(world: World) -> None:
    refusal = {"kind": "status", "status": 400, "match": world.native.cancel}
    world.simulator.behave(refusal)
    world.cancel_at = "WaitToPoll"
    assert finish(world, requests(3)) == "cancelled"
    assert len(world.check_promises(requests(3)).output) == 3


# ---- Expired


@those(lambda lane: lane.cancels)
def test_a_batch_whose_window_ends_keeps_what_was_answered(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    assert finish(world, requests(5)) == "expired"
    results = world.check_promises(requests(5))
    assert len(results.output) == 2
    assert results.error_codes == ["batch_expired"] * 3
    assert world.now <= world.batch.expires_at + GRACE


@those(lambda lane: lane.tells_unrun)
def test_what_its_provider_lets_expire_with_time_left_is_called_directly(world: World) -> None:
    world.simulator.behave({"kind": "expired_batch", "after_lines": 2})
    assert finish(world, requests(5)) == "completed"
    kept = 2 if world.native.keeps_expired else 0
    lanes = world.check_promises(requests(5)).lanes
    assert sorted(lanes) == ["direct"] * (5 - kept) + ["native"] * kept


def test_what_its_provider_lets_expire_when_the_window_is_over_is_expired(world: World) -> None:
    world.simulator.behave({"kind": "expired_batch", "after_lines": 2})
    world.create(requests(5))
    for state in ("PlanBatch", "SubmitShard"):
        world.step(state, 1 if state == "SubmitShard" else None)
    world.now = world.batch.expires_at
    world.run()
    assert world.batch.status is BatchStatus.EXPIRED
    results = world.check_promises(requests(5))
    kept = 2 if world.native.keeps_expired else 0
    assert len(results.output) == kept
    assert results.error_codes == ["batch_expired"] * (5 - kept)


def test_a_batch_that_is_late_before_it_is_planned_expires(world: World) -> None:
    world.now += DAY
    assert finish(world, requests(2)) == "expired"
    assert world.simulator.calls() == []


@those(lambda lane: not lane.cancels)
def test_a_provider_out_of_reach_that_stops_no_batch_is_called_while_there_is_time(
    world: World,
) -> None:
    first = next(iter(world.native.calls.values()))
    world.simulator.behave({"kind": "status", "status": 503, "match": first})
    assert finish(world, requests(2)) == "completed"
    assert world.check_promises(requests(2)).lanes == ["direct"] * 2


@those(lambda lane: lane.cancels)
def test_a_provider_out_of_reach_for_the_whole_window_ends_in_expiry(world: World) -> None:
    first = next(iter(world.native.calls.values()))
    world.simulator.behave({"kind": "status", "status": 503, "match": first})
    assert finish(world, requests(2)) == "expired"
    assert world.check_promises(requests(2)).error_codes == ["batch_expired"] * 2
    assert world.now <= world.batch.expires_at + GRACE


@those(lambda lane: lane.cancels)
def test_a_provider_out_of_reach_after_the_submission_ends_in_expiry(world: World) -> None:
    drops = [{"kind": "drop", "match": match} for match in (world.native.poll, world.native.cancel)]
    world.simulator.behave(*drops)
    assert finish(world, requests(2)) == "expired"
    assert world.check_promises(requests(2), lost=2).error_codes == ["batch_expired"] * 2
    assert world.now <= world.batch.expires_at + GRACE


# ---- Broken executions


def test_a_shard_whose_function_always_breaks_does_not_fail_its_siblings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.native.format, "limits", Limits(lines=2, bytes=10_000))
    poll = world.machine.tasks["PollShard"]

    def broken(task: Json) -> Json:
        if task["shard"] == 1:
            raise ZeroDivisionError
        return poll(task)

    world.machine.tasks = {**world.machine.tasks, "PollShard": broken}
    assert finish(world, requests(4)) == "completed"
    results = world.check_promises(requests(4), lost=2)
    assert [line["custom_id"] for line in results.output] == ["line-3", "line-4"]
    assert results.error_codes == ["internal_error"] * 2
    assert world.shards[0].ending is Ending.LOST
    assert world.shards[0].state is ShardState.STOPPED


def test_a_batch_that_cannot_be_finalized_fails_with_its_answers(world: World) -> None:
    def broken(_: Json) -> Json:
        raise ZeroDivisionError

    world.machine.tasks = {**world.machine.tasks, "FinalizeBatch": broken}
    assert finish(world, requests(3)) == "failed"
    assert world.machine.visited[-1] == "BatchFailed"
    assert len(world.check_promises(requests(3)).output) == 3
    assert [error.code for error in world.batch.errors] == ["internal_error"]
