"""Whole lives of batches whose lines pass on: to a later round, another lane, or another deployment."""

from __future__ import annotations

import json

import pytest
from nightmail.part import Ending
from nightmail.providers.base import Limits, ShardInput, Tag

from local.simulator.client import SimulatorClient
from tests.unit.machine import ASL, Json
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import KILLED, NATIVE_LANES, those
from tests.unit.samples import NOW
from tests.unit.world import CHAT, MODEL, Results, World, as_jsonl, request, requests

HOUR = 3600
LONG = NOW + 60 * HOUR
OTHER = "other"


@pytest.fixture
def world(simulator: SimulatorClient, native: NativeLane) -> World:
    return World(simulator, provider=native.provider)


def other_provider(world: World) -> str:
    return next(name for name in NATIVE_LANES if name != world.provider)


def with_fallback(world: World, **more: object) -> World:
    """Where the model fails, another provider's model is asked."""
    fallback = world.deployment(OTHER, **{"provider": other_provider(world), **more})
    world.fallbacks = {MODEL: [OTHER]}
    world.groups = {OTHER: [fallback]}
    return world


def live(world: World, lines: list[Json], **changes: object) -> Results:
    """Run a batch of these lines to its end."""
    world.create(lines, **changes)
    world.run()
    return world.check_promises(lines)


def models(results: Results) -> list[str]:
    return [line["response"]["body"]["model"] for line in results.output]


def rounds(world: World) -> list[tuple[str, int, int]]:
    """Kind, tries and lines of each part."""
    return [(part.kind, part.tries, part.lines) for part in world.parts]


def statuses(results: Results) -> list[int]:
    return [line["response"]["status_code"] for line in results.errors]


# ---- Again


@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_line_that_may_heal_is_called_where_the_window_is_too_short_for_a_batch(
    world: World, status: int
) -> None:
    lines = [request(1), request(2, f"[[fail:{status}:1]] Q2"), request(3)]
    assert live(world, lines).lanes == ["native", "direct", "native"]
    assert rounds(world) == [("shard", 0, 2), ("chunk", 1, 1)]
    assert world.batch.status == "completed"


def test_a_line_that_may_heal_goes_natively_again_where_the_window_is_long(world: World) -> None:
    lines = [request(1), request(2, "[[fail:429:2]] Q2"), request(3, "[[fail:500:1]] Q3")]
    assert live(world, lines, expires_at=LONG).lanes == ["native"] * 3
    assert rounds(world) == [("shard", 0, 1), ("shard", 1, 1), ("shard", 2, 1)]


def test_a_line_that_never_heals_keeps_its_last_error(world: World) -> None:
    lines = [request(1), request(2, "[[fail:500]]")]
    assert statuses(live(world, lines, expires_at=LONG)) == [500]
    assert rounds(world) == [("shard", 0, 1), ("shard", 1, 0), ("shard", 2, 1)]
    assert world.batch.status == "completed"


def test_a_line_that_is_wrong_is_not_tried_again(world: World) -> None:
    lines = [request(1), request(2, "[[fail:413]]")]
    assert statuses(live(with_fallback(world), lines)) == [413]
    assert rounds(world) == [("shard", 0, 2)]


@those(lambda lane: lane.tells_unrun)
def test_what_the_provider_lets_expire_is_submitted_again_in_a_longer_window(world: World) -> None:
    late = {"kind": "expired_batch", "after_lines": 1, "times": 2}
    world.simulator.behave(late)
    assert live(world, requests(4), expires_at=LONG).lanes == ["native"] * 4
    kept = 1 if world.native.keeps_expired else 0
    assert rounds(world) == [("shard", 0, kept), ("shard", 0, kept), ("shard", 0, 4 - 2 * kept)]
    assert all(part.ending is Ending.COMPLETED for part in world.parts)
    assert world.batch.status == "completed"


@those(lambda lane: lane.tells_unrun)
def test_lines_are_cut_by_the_limits_of_the_provider_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.simulator.behave({"kind": "expired_batch", "after_lines": 0, "times": 1})
    world.create(requests(5), expires_at=LONG)
    world.step("PlanBatch")
    monkeypatch.setattr(world.native.format, "limits", Limits(lines=2, bytes=10_000))
    world.run()
    assert world.check_promises(requests(5)).lanes == ["native"] * 5
    assert [part.lines for part in world.parts] == [0, 2, 2, 1]


@those(lambda lane: lane.tells_unrun)
def test_what_is_too_little_for_a_batch_of_the_provider_is_called(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.simulator.behave({"kind": "expired_batch", "after_lines": 0, "times": 1})
    world.create(requests(5), expires_at=LONG)
    world.step("PlanBatch")
    limits = Limits(lines=3, bytes=10_000, minimum_lines=3)
    monkeypatch.setattr(world.native.format, "limits", limits)
    world.run()
    results = world.check_promises(requests(5))
    assert results.lanes == ["native"] * 3 + ["direct"] * 2


def test_a_batch_that_is_cancelled_asks_nobody_again(world: World) -> None:
    lines = [request(1), request(2, "[[fail:500:1]] Q2")]
    world.cancel_at = "CollectShard"
    world.create(lines)
    world.run()
    assert statuses(world.check_promises(lines)) == [500]
    assert world.batch.status == "cancelled"


def test_lines_whose_file_is_gone_stay_as_they_are(world: World) -> None:
    lines = [request(1), request(2, "[[fail:500:1]] Q2")]
    world.create(lines)
    for state in ("PlanBatch", "SubmitShard"):
        world.step(state, 1 if state == "SubmitShard" else None)
    world.stores.files.delete("alice", "file-in")
    world.run()
    assert statuses(world.check_promises(lines)) == [500]


def test_missing_results_are_not_asked_for_again(world: World) -> None:
    """They may have been paid."""
    world.simulator.behave({"kind": "missing", "lines": 2})
    with_fallback(world).create(requests(4), expires_at=LONG)
    world.run()
    results = world.check_promises(requests(4), lost=2)
    assert results.error_codes == ["provider_result_missing"] * 2
    assert rounds(world) == [("shard", 0, 4)]


# ---- Fallbacks


def test_a_refused_key_sends_the_whole_shard_to_the_fallback(world: World) -> None:
    world.simulator.behave({"kind": "refused_key", "match": {"provider": world.provider}})
    results = live(with_fallback(world), requests(3), expires_at=LONG)
    assert models(results) == [OTHER] * 3
    assert results.lanes == ["native"] * 3
    assert rounds(world) == [("shard", 0, 0), ("shard", 0, 3)]
    assert [bill.model for bill in world.batch.bills] == [OTHER]
    assert world.batch.errors == []


def test_in_a_short_window_the_fallback_is_called(world: World) -> None:
    world.simulator.behave({"kind": "refused_key", "match": {"provider": world.provider}})
    with_fallback(world).groups[MODEL] = [world.deployment(lane="native")]
    results = live(world, requests(3), expires_at=NOW + 12 * HOUR)
    assert (models(results), results.lanes) == ([OTHER] * 3, ["direct"] * 3)


def test_a_batch_that_vanished_is_run_by_the_fallback(world: World) -> None:
    world.simulator.behave({"kind": "vanished_batch", "match": {"provider": world.provider}})
    with_fallback(world).create(requests(2), expires_at=LONG)
    world.run()
    assert models(world.check_promises(requests(2), paid_once=False)) == [OTHER] * 2


def test_a_line_that_was_refused_for_good_is_asked_of_the_fallback(world: World) -> None:
    refusal = {
        "kind": "unknown_model",
        "match": {"provider": world.provider, "model": "*picky-*"},
    }
    world.simulator.behave(refusal)
    with_fallback(world)
    world.fallbacks = {"picky": [OTHER]}
    upstream = world.deployment().model.replace("gpt-5-mini", "picky")
    world.groups["picky"] = [world.deployment("picky", model=upstream)]
    body = {"model": "picky", "messages": [{"role": "user", "content": "Q2?"}]}
    lines = [request(1), request(2, body=body)]
    results = live(world, lines)
    assert models(results) == [MODEL, OTHER]


def test_a_line_whose_retries_are_used_up_is_asked_of_the_fallback(world: World) -> None:
    lines = [request(1), request(2, "[[fail:503:3]] Q2")]
    results = live(with_fallback(world), lines, expires_at=LONG)
    assert models(results) == [MODEL, OTHER]
    assert rounds(world) == [("shard", 0, 1), ("shard", 1, 0), ("shard", 2, 0), ("shard", 0, 1)]


def test_a_line_that_the_fallback_has_no_words_for_keeps_its_error(
    simulator: SimulatorClient,
) -> None:
    """Anthropic has no log probabilities; the line beside it goes there."""
    world = with_fallback(World(simulator))
    simulator.behave({"kind": "refused_key", "match": {"provider": "openai"}})
    body = {**request(2)["body"], "logprobs": True}
    lines = [request(1), request(2, body=body)]
    results = live(world, lines, expires_at=LONG)
    assert models(results) == [OTHER]
    assert results.errors[0]["error"]["message"].startswith("openai answered 401")
    assert [part.lines for part in world.parts] == [1, 1]


def test_where_the_fallback_refuses_too_the_batch_fails_and_says_both(world: World) -> None:
    world.simulator.behave({"kind": "refused_key"})
    world.create(requests(2), expires_at=LONG)
    with_fallback(world)
    assert world.run().state == "BatchFailed"
    said = [error.message.split(" answered ")[0] for error in world.batch.errors]
    assert said == [world.provider, other_provider(world)]
    assert len(world.check_promises(requests(2)).errors) == 2


@those(lambda lane: not lane.names_batches)
def test_a_shard_that_may_have_been_paid_is_sent_nowhere_else(world: World) -> None:
    lost = {"kind": "drop", "when": "after", "match": world.native.create}
    no_list = {"kind": "status", "status": 405, "match": world.native.list}
    world.simulator.behave(lost, no_list)
    with_fallback(world).create(requests(2), expires_at=LONG)
    world.run()
    assert world.check_promises(requests(2), lost=2).error_codes == ["submission_unclear"] * 2


@pytest.mark.of("anthropic")
def test_an_adopted_batch_of_somebody_else_stops_the_shard(simulator: SimulatorClient) -> None:
    """Its results are all of lines that nobody knows here."""
    world = with_fallback(World(simulator, provider="anthropic"))
    world.create(requests(2), expires_at=LONG)
    world.step("PlanBatch")
    start_a_strangers_batch(world)
    simulator.behave({"kind": "drop", "when": "before", "match": world.native.create})
    world.run()
    results = world.check_promises(requests(2), paid_once=False)
    assert results.error_codes == ["submission_unclear"] * 2
    assert len(simulator.batches()) == 1


def start_a_strangers_batch(world: World) -> None:
    """One of as many lines as the world's shard, by somebody who uses the same key."""
    message = {"role": "user", "content": "Who?"}
    params = {"model": "claude-x", "max_tokens": 8, "messages": [message]}
    lines = as_jsonl(
        [{"custom_id": f"x-{number}", "params": params} for number in range(world.shard.lines)]
    )
    content = ShardInput(lambda: [lines], len(lines), world.shard.lines)
    world.provider_of(world.deployment()).submit("", content, CHAT, Tag("batch_x", 1))


# ---- Before the deadline


def finishing(world: World, *faults: Json, lines: int = 5) -> Results:
    """A batch that is to be finished directly, at a provider with these faults."""
    world.simulator.behave(*faults)
    return live(world, requests(lines), on_deadline="finish_direct")


@those(lambda lane: lane.cancels)
def test_what_the_provider_owes_near_the_end_is_cancelled_there_and_finished_directly(
    world: World,
) -> None:
    results = finishing(world, {"kind": "stuck_batch", "after_lines": 2})
    assert sorted(results.lanes) == ["direct"] * 3 + ["native"] * 2
    assert world.batch.status == "completed"
    assert [batch["status"] for batch in world.provider_batches()] == ["cancelled"]
    assert world.now < world.batch.expires_at


@those(lambda lane: lane.cancels)
def test_a_short_window_is_finished_in_time(world: World) -> None:
    assert_finished_in_time(world, HOUR)


@those(lambda lane: lane.provider in KILLED)
def test_a_long_window_is_finished_in_time(world: World) -> None:
    assert_finished_in_time(world, 7 * 24 * HOUR)


def assert_finished_in_time(world: World, seconds: int) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    end = NOW + seconds
    results = live(world, requests(5), on_deadline="finish_direct", expires_at=end)
    assert sorted(results.lanes) == ["direct"] * 3 + ["native"] * 2
    assert world.batch.status == "completed"
    assert end - 7200 <= world.now < end


@those(lambda lane: not lane.cancels)
def test_what_could_not_be_stopped_in_a_short_window_is_called_from_the_start(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch"})
    results = live(world, requests(5), on_deadline="finish_direct", expires_at=NOW + HOUR)
    assert results.lanes == ["direct"] * 5
    assert world.provider_batches() == []


@those(lambda lane: not lane.cancels)
def test_a_fallback_that_cannot_be_stopped_is_called_where_time_is_short(
    simulator: SimulatorClient, native: NativeLane
) -> None:
    first = next(lane for lane in NATIVE_LANES.values() if lane.cancels)
    world = World(simulator, provider=first.provider)
    fallback = world.deployment(OTHER, provider=native.provider)
    world.fallbacks, world.groups = {MODEL: [OTHER]}, {OTHER: [fallback]}
    simulator.behave(
        {"kind": "status", "status": 401, "match": {"provider": first.provider}},
        {"kind": "stuck_batch"},
    )
    results = live(world, requests(3), on_deadline="finish_direct", expires_at=NOW + 12 * HOUR)
    assert results.lanes == ["direct"] * 3
    assert world.provider_batches() == []


@those(lambda lane: not lane.cancels)
@pytest.mark.parametrize("on_deadline", ["expire", "finish_direct"])
def test_what_can_neither_be_stopped_nor_called_is_not_paid_in_a_short_window(
    simulator: SimulatorClient, native: NativeLane, on_deadline: str
) -> None:
    world = World(simulator, provider=native.provider, lane="native")
    results = live(world, requests(3), on_deadline=on_deadline, expires_at=NOW + HOUR)
    assert results.error_codes == ["window_too_short"] * 3
    assert world.batch.status == "expired"
    assert world.provider_batches() == []


def test_what_was_never_submitted_is_finished_directly(world: World) -> None:
    first = next(iter(world.native.calls.values()))
    results = finishing(world, {"kind": "status", "status": 503, "match": first})
    assert results.lanes == ["direct"] * 5
    assert rounds(world) == [("shard", 0, 0), ("chunk", 0, 5)]


@those(lambda lane: lane.cancels)
def test_a_provider_that_does_not_stop_is_left_and_its_lines_are_finished(world: World) -> None:
    deaf = {"kind": "status", "status": 200, "body": "{}", "match": world.native.cancel}
    results = finishing(world, {"kind": "stuck_batch"}, deaf)
    assert results.lanes == ["direct"] * 5
    assert world.now < world.batch.expires_at


@those(lambda lane: lane.cancels)
def test_lines_that_cannot_be_called_expire(simulator: SimulatorClient, native: NativeLane) -> None:
    world = World(simulator, provider=native.provider, lane="native")
    results = finishing(world, {"kind": "stuck_batch", "after_lines": 2})
    assert results.error_codes == ["batch_expired"] * 3
    assert world.batch.status == "expired"


def test_a_batch_that_is_done_in_time_is_not_disturbed(world: World) -> None:
    assert finishing(world).lanes == ["native"] * 5
    assert world.simulator.calls(**world.native.cancel) == []


# ---- An execution has 25,000 events (Step Functions' quotas, "Maximum execution history size")

EVENTS = {"Task": 5, "Choice": 2, "Wait": 2, "Succeed": 2}
FULL = {"code": "token_limit_exceeded", "message": "Full."}


@pytest.mark.parametrize(
    ("fault", "days"),
    [
        ({"kind": "stuck_batch"}, 7),
        ({"kind": "expired_batch", "after_lines": 0}, 7),
        ({"kind": "drop", "when": "before", "match": {"method": "POST", "path": "/batches"}}, 7),
        ({"kind": "failed_batch", "errors": [FULL]}, 2),
    ],
    ids=["stuck", "expires", "away", "queue_full"],
)
def test_a_child_of_seven_days_leaves_room_in_its_history(
    simulator: SimulatorClient, fault: Json, days: int
) -> None:
    simulator.behave(fault)
    world = World(simulator, lane="native")
    world.create(requests(1), expires_at=NOW + days * 24 * HOUR)
    world.run()
    assert world.batch.status.is_final
    states = json.loads(ASL.read_text())["States"]["RunParts"]["Branches"][0]["States"]
    child = states["RunShards"]["ItemProcessor"]["States"]
    visited = [child[name]["Type"] for name in world.machine.visited if name in child]
    assert 0 < sum(EVENTS[kind] for kind in visited) < 15_000 * days / 7
