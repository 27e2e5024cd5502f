"""CollectShard: every result is taken once, in runs that sort, wherever the reading stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.deployment import Deployment
from nightmail.errors import LeaseLost, ProviderNotFound, ProviderUnavailable
from nightmail.outcome import Kind, Outcome, number_of
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, Cursor, NumberOf, Result
from nightmail.shard import ShardState
from nightmail.steps import collection
from nightmail.usage import Usage

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID
from tests.unit.world import World, requests

NOBODY = SimulatorClient("http://127.0.0.1:9")
DAY = 86_400
USAGE = Usage(input_tokens=2, output_tokens=1)


@dataclass
class Provider:
    """A provider whose batches have ended, with these outcomes. `error` is raised behind them."""

    outcomes: list[Outcome | None]
    error: Exception | None = None

    def results(
        self, _ids: list[str], _model: str, cursor: Cursor, _number_of: NumberOf
    ) -> Iterator[Result]:
        for place in range(cursor.offset, len(self.outcomes)):
            outcome = self.outcomes[place]
            is_answer = outcome is not None and outcome.kind is Kind.ANSWERED
            yield Result(outcome, USAGE if is_answer else Usage(), Cursor(0, place + 1))
        if self.error:
            raise self.error


def ended(provider: Provider, lines: int, lines_a_run: int = 0, **changes: Any) -> World:
    """A world with a shard whose batch has ended at this provider."""
    world = World(NOBODY, lines_a_run=lines_a_run)
    world.provider_of = lambda _: cast(BatchProvider, world.mortal(provider))
    world.create(requests(lines))
    world.lines_a_run = 0
    world.step("PlanBatch")
    world.lines_a_run = lines_a_run
    fields = {"ending": Ending.COMPLETED, "provider_output_ids": ["file-out"], **changes}
    world.change_shard(state=ShardState.ENDED, **fields)
    return world


def collect(world: World) -> tuple[str, int]:
    while (step := world.step("CollectShard", 1))["next"] == "more":
        pass
    return step["next"], step["wait_seconds"]


def answered(number: int, text: str = "") -> Outcome:
    return Outcome(number, Kind.ANSWERED, {"status_code": 200, "body": text or f"A{number}"})


def refused(number: int) -> Outcome:
    return Outcome(number, Kind.REFUSED, {"status_code": 400, "body": {}})


def runs(world: World) -> list[list[bytes]]:
    objects = world.stores.objects
    return [objects.get(run.key).splitlines() for run in world.shard.runs]


def figures(world: World) -> tuple[int, int, int]:
    shard = world.shard
    return shard.completed, shard.failed, shard.usage.input_tokens


# ---- Taking


def test_results_in_any_order_become_a_sorted_run_and_are_booked() -> None:
    world = ended(Provider([answered(3), refused(1), answered(2)]), 3)
    assert collect(world) == ("done", 0)
    (run,) = runs(world)
    assert [number_of(row) for row in run] == [1, 2, 3]
    assert world.shard.state is ShardState.COLLECTED
    assert figures(world) == (2, 1, 4)


def test_of_several_outcomes_of_a_line_the_best_counts_and_is_paid_once() -> None:
    outcomes = [refused(1), answered(1), answered(1, "again"), refused(1), answered(2)]
    world = ended(Provider([*outcomes]), 2)
    collect(world)
    assert figures(world) == (2, 0, 4)
    world.run()
    assert [line["response"]["body"] for line in world.results().output] == ["A1", "A2"]


def test_garbage_and_strangers_are_dropped() -> None:
    world = ended(Provider([None, answered(99), answered(0), answered(1)]), 1)
    collect(world)
    assert figures(world) == (1, 0, 2)


def test_many_results_become_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "RUN_BYTES", 100)
    world = ended(Provider([answered(number) for number in (5, 1, 4, 2, 3)]), 5)
    collect(world)
    assert len(runs(world)) > 1
    assert all(run == sorted(run) for run in runs(world))
    world.run()
    assert [line["custom_id"] for line in world.results().output] == [
        f"line-{number}" for number in range(1, 6)
    ]


LINES = 6
OUTCOMES = st.lists(
    st.builds(
        lambda number, kind: answered(number) if kind is Kind.ANSWERED else refused(number),
        st.integers(0, LINES + 1),
        st.sampled_from([Kind.ANSWERED, Kind.REFUSED]),
    )
    | st.none(),
    max_size=15,
)


@given(OUTCOMES, st.integers(1, 4), st.sampled_from([1, 100, 10**6]))
def test_files_are_the_same_wherever_the_collecting_stopped(
    outcomes: list[Outcome | None], lines_a_run: int, run_bytes: int
) -> None:
    def finished(lines: int) -> tuple[bytes, bytes]:
        world = ended(Provider(outcomes), LINES, lines, rereads=99)
        world.run()
        return world.results().raw

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection, "RUN_BYTES", run_bytes)
        assert finished(lines_a_run) == finished(0)


def test_a_shard_is_booked_once() -> None:
    world = ended(Provider([answered(1)]), 1)
    collect(world)
    booked = world.shard
    assert collect(world) == ("done", 0)
    assert world.shard == booked


def test_of_two_collections_at_once_one_books() -> None:
    provider = Provider([answered(1)])
    world = ended(provider, 1)

    def meanwhile(deployment: Deployment) -> BatchProvider:
        world.provider_of = provider_of
        collect(world)
        return provider_of(deployment)

    provider_of = world.provider_of
    world.provider_of = meanwhile
    with pytest.raises(LeaseLost):
        collect(world)
    assert figures(world) == (1, 0, 2)


# ---- Missing results


def test_results_that_are_missing_are_looked_for_again_from_the_poll_on() -> None:
    provider = Provider([answered(1)])
    world = ended(provider, 2)
    assert collect(world) == ("poll", 5)
    assert world.shard.state is ShardState.SUBMITTED
    assert figures(world) == (0, 0, 0)
    provider.outcomes = [answered(2)]  # what was taken before is kept
    world.change_shard(state=ShardState.ENDED)
    assert collect(world) == ("done", 0)
    assert figures(world) == (2, 0, 4)


def test_results_that_stay_missing_are_booked_as_failed() -> None:
    world = ended(Provider([answered(1)]), 2, rereads=6)
    assert collect(world) == ("done", 0)
    assert figures(world) == (1, 1, 2)


@pytest.mark.parametrize(
    ("ending", "reported", "goes_to"),
    [
        (Ending.CANCELLED, 1, "done"),
        (Ending.CANCELLED, 2, "poll"),
        (Ending.EXPIRED, 1, "done"),
        (Ending.EXPIRED, 2, "poll"),
        (Ending.FAILED, 0, "done"),
    ],
)
def test_of_a_batch_that_did_not_complete_the_reported_results_are_expected(
    ending: Ending, reported: int, goes_to: str
) -> None:
    world = ended(Provider([answered(1)]), 3, ending=ending, reported_completed=reported)
    assert collect(world)[0] == goes_to


def test_what_we_cancelled_because_the_window_ended_is_expired() -> None:
    told = {"code": "batch_cancelled", "message": "Cancelled."}
    outcomes = [answered(1), Outcome(2, Kind.FAILED, error=told)]
    world = ended(Provider([*outcomes]), 2, ending=Ending.EXPIRED)
    world.now = world.batch.expires_at
    world.run()
    assert world.results().error_codes == ["batch_expired"]


# ---- Errors


def test_what_was_fetched_before_an_error_is_kept() -> None:
    unreachable = ProviderUnavailable("Away.", provider="p", retry_after_seconds=70)
    provider = Provider([answered(1)], unreachable)
    world = ended(provider, 2)
    assert collect(world) == ("collect", 70)
    provider.outcomes, provider.error = [None, answered(2)], None
    assert collect(world) == ("done", 0)
    assert figures(world) == (2, 0, 4)


def test_a_provider_that_wants_an_hour_is_looked_at_within_a_quarter_of_it() -> None:
    unreachable = ProviderUnavailable("Away.", provider="p", retry_after_seconds=3600)
    assert collect(ended(Provider([], unreachable), 1)) == ("collect", 900)


def test_an_error_that_does_not_heal_is_told_to_the_lines_without_an_outcome() -> None:
    world = ended(Provider([answered(1)], ProviderNotFound("No such file.", provider="p")), 2)
    assert [collect(world)[0] for _ in range(7)] == ["collect"] * 6 + ["done"]
    world.run()
    results = world.results()
    assert len(results.output) == 1
    assert results.errors[0]["error"]["message"] == "No such file."


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_provider_out_of_reach_is_left_three_hours_after_the_end(is_cancelled: bool) -> None:
    world = ended(Provider([], ProviderUnavailable("Away.", provider="p")), 1)
    if is_cancelled:
        world.cancel()
    else:
        world.now += DAY
    world.now += 3 * 3600 - 1
    assert collect(world)[0] == "collect"
    world.now += 1
    assert collect(world)[0] == "done"
    assert world.shard.ending is Ending.LOST


@pytest.mark.parametrize(
    ("state", "goes_to"),
    [("planned", "submit"), ("submitted", "poll"), ("collected", "done"), ("stopped", "done")],
)
def test_a_shard_in_another_state_is_sent_on(state: str, goes_to: str) -> None:
    world = ended(Provider([]), 1)
    world.change_shard(state=ShardState(state))
    assert collect(world)[0] == goes_to


def test_an_unknown_batch_or_shard_is_done() -> None:
    world = ended(Provider([]), 1)
    assert world.step("CollectShard", 7)["next"] == "done"
    assert World(NOBODY).step("CollectShard", 1)["next"] == "done"


def test_a_cursor_has_a_version_and_ids_but_no_answers() -> None:
    world = ended(Provider([answered(1)]), 1)
    collect(world)
    s3 = world.s3
    assert isinstance(s3, MemoryS3)
    cursor: Json = json.loads(s3.objects[f"work/{BATCH_ID}/shards/000001.00/collection.json"])
    assert cursor["v"] == 1
    assert "A1" not in json.dumps(cursor)
