"""FinalizeBatch: every line in one file, in order, and the one final status that is due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.batch import BatchError, BatchStatus
from nightmail.errors import LeaseLost, StorageUnavailable, WriteConflict
from nightmail.file import Segment
from nightmail.line_index import IndexRow, to_index_row
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import Ending
from nightmail.shard import Shard, ShardState
from nightmail.stores import multipart
from nightmail.usage import Usage

from local.simulator.client import SimulatorClient
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_bill, sample_shard
from tests.unit.world import World

NOBODY = SimulatorClient("http://127.0.0.1:9")
DAY = 86_400


def put(world: World, key: str, rows: Sequence[bytes]) -> Segment:
    return world.stores.objects.put(f"work/{BATCH_ID}/{key}", b"".join(rows))


def outcome(number: int) -> Outcome:
    """Every third line was refused."""
    kind = Kind.REFUSED if number % 3 == 0 else Kind.ANSWERED
    return Outcome(number, kind, {"status_code": 200, "body": f"A{number}"})


def add_shard(
    world: World, number: int, lines: Sequence[int], runs: Sequence[Sequence[int]], **changes: Any
) -> Shard:
    """A shard with these line numbers whose runs have outcomes of these numbers."""
    index = [to_index_row(IndexRow(line, 0, 0, orjson.dumps(f"c-{line}"))) for line in lines]
    completed = sum(outcome(line).kind is Kind.ANSWERED for run in runs for line in {*run})
    fields = {
        "number": number,
        "deployment": world.deployments_of("gpt-5-mini")[0],
        "lines": len(lines),
        "index": [put(world, f"{number}/index", index)],
        "runs": [
            put(world, f"{number}/run-{at}", [to_row(outcome(line)) for line in sorted(run)])
            for at, run in enumerate(runs)
        ],
        "state": ShardState.COLLECTED,
        "ending": Ending.COMPLETED,
        "completed": completed,
        "failed": len(lines) - completed,
        "bills": [sample_bill(usage=Usage(input_tokens=len(lines)))],
    }
    shard = sample_shard(**{**fields, **changes})
    world.stores.parts.plan(shard)
    return shard


def running(*, lines_a_run: int = 0, **changes: Any) -> World:
    """A world with a batch in progress, without shards."""
    world = World(NOBODY, lines_a_run=lines_a_run)
    fields = {"status": "in_progress", "in_progress_at": NOW, "shards": 2}
    world.stores.batches.create(sample_batch(**{**fields, **changes}))
    return world


def finalize(world: World) -> str:
    while (step := world.step("FinalizeBatch"))["next"] == "more":
        pass
    return str(step["next"])


# ---- Files


def test_lines_of_shards_and_runs_are_merged_in_the_order_of_the_input() -> None:
    world = running()
    add_shard(world, 1, [2, 3, 5, 7], [[7, 2], [5, 3]])
    add_shard(world, 2, [8, 9], [[9, 8]])
    assert finalize(world) == "done"
    results = world.results()
    assert [line["custom_id"] for line in results.output] == ["c-2", "c-5", "c-7", "c-8"]
    assert [line["custom_id"] for line in results.errors] == ["c-3", "c-9"]
    assert [line["response"]["body"] for line in results.output] == ["A2", "A5", "A7", "A8"]


def test_a_batch_is_completed_with_its_files_figures_and_times() -> None:
    world = running()
    world.now += 60
    add_shard(world, 1, [1, 2, 3], [[1, 2, 3]])
    add_shard(world, 2, [4], [[4]])
    finalize(world)
    batch = world.batch
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.finalizing_at, batch.completed_at) == (NOW + 60, NOW + 60)
    assert (batch.counts.total, batch.counts.completed, batch.counts.failed) == (4, 3, 1)
    assert batch.usage.input_tokens == 4
    assert batch.output_file_id
    file = world.stores.files.get("alice", batch.output_file_id, world.now)
    assert (file.purpose, file.filename) == ("batch_output", f"{BATCH_ID}_output.jsonl")
    assert file.expires_at == world.now + 30 * DAY


def test_files_expire_when_their_batch_wants_it() -> None:
    expiry = {"anchor": "created_at", "seconds": 7200}
    world = running(output_expires_after=expiry)
    add_shard(world, 1, [1, 3], [[1, 3]])
    finalize(world)
    for file_id in (world.batch.output_file_id, world.batch.error_file_id):
        assert file_id
        assert world.stores.files.get("alice", file_id, world.now).expires_at == NOW + 7200


def test_an_outcome_that_stands_twice_or_nowhere_in_the_index_is_written_once_or_not() -> None:
    world = running()
    add_shard(world, 1, [1, 4], [[1, 2, 4], [1, 4, 5]])
    finalize(world)
    assert [line["custom_id"] for line in world.results().output] == ["c-1", "c-4"]


@given(st.sets(st.integers(1, 40)), st.integers(1, 4), st.randoms(use_true_random=False))
def test_files_are_the_same_wherever_the_writing_stopped(
    lines: set[int], lines_a_run: int, random: Any
) -> None:
    numbers = sorted(lines)
    middle = len(numbers) // 2
    answered = [number for number in numbers if random.random() < 0.8]
    random.shuffle(answered)

    def finished(stops: int) -> tuple[Any, ...]:
        world = running(lines_a_run=stops)
        for shard, some in ((1, numbers[:middle]), (2, numbers[middle:])):
            mine = [number for number in answered if number in some]
            add_shard(world, shard, some, [mine[::2], mine[1::2]])
        finalize(world)
        return world.results().raw, world.batch.counts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "PART_BYTES", 300)
        assert finished(lines_a_run) == finished(0)


def test_files_whose_upload_is_gone_are_written_anew_under_the_same_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 100)
    world = running(lines_a_run=3)
    add_shard(world, 1, list(range(1, 9)), [list(range(1, 9))])
    assert world.step("FinalizeBatch")["next"] == "more"
    s3 = world.s3
    assert isinstance(s3, MemoryS3)
    ids = [key for key in s3.objects if key.endswith("results.json")]
    chosen = orjson.loads(s3.objects[ids[0]])
    s3.forget_uploads()
    with pytest.raises(StorageUnavailable):
        finalize(world)
    assert finalize(world) == "done"
    assert world.batch.output_file_id == chosen["output_id"]
    assert world.batch.error_file_id == chosen["error_id"]
    assert world.batch.counts.total == 8


# ---- Lines that are owed an outcome


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending.COMPLETED, "provider_result_missing"),
        (Ending.EXPIRED, "batch_expired"),
        (Ending.CANCELLED, "batch_cancelled"),
        (Ending.FAILED, "provider_error"),
        (Ending.LOST, "internal_error"),
    ],
)
def test_a_line_without_an_outcome_is_told_how_its_shard_ended(ending: Ending, code: str) -> None:
    world = running()
    add_shard(world, 1, [1, 2], [[1]], ending=ending)
    finalize(world)
    (line,) = world.results().errors
    assert (line["custom_id"], line["error"]["code"]) == ("c-2", code)
    assert line["response"] is None
    assert line["error"]["message"]


def test_a_line_is_told_its_own_error_or_the_one_of_the_whole() -> None:
    errors = [
        BatchError(code="own", message="Line 2.", line=2),
        BatchError(code="whole", message="All."),
    ]
    world = running()
    add_shard(world, 1, [1, 2], [], errors=errors)
    finalize(world)
    assert world.results().error_codes == ["whole", "own"]


# ---- The final status


@pytest.mark.parametrize(
    ("endings", "status"),
    [
        ((Ending.COMPLETED, Ending.COMPLETED), BatchStatus.COMPLETED),
        ((Ending.COMPLETED, Ending.FAILED), BatchStatus.COMPLETED),
        ((Ending.COMPLETED, Ending.LOST), BatchStatus.COMPLETED),
        ((Ending.COMPLETED, Ending.EXPIRED), BatchStatus.EXPIRED),
        ((Ending.FAILED, Ending.EXPIRED), BatchStatus.EXPIRED),
    ],
)
def test_the_status_follows_from_the_endings(
    endings: tuple[Ending, Ending], status: BatchStatus
) -> None:
    world = running()
    for number, ending in enumerate(endings, 1):
        is_collected = ending is Ending.COMPLETED
        state = ShardState.COLLECTED if is_collected else ShardState.STOPPED
        add_shard(world, number, [number], [], state=state, ending=ending)
    assert finalize(world) == "done"
    assert world.batch.status is status


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.LOST])
def test_a_batch_of_which_no_shard_got_anywhere_is_to_fail(ending: Ending) -> None:
    world = running()
    add_shard(world, 1, [1], [], state=ShardState.STOPPED, ending=ending)
    assert finalize(world) == "failed"
    assert world.batch.status is BatchStatus.IN_PROGRESS


def test_a_cancelled_batch_is_cancelled_whatever_its_shards_did() -> None:
    world = running(status="cancelling", cancelling_at=NOW)
    add_shard(world, 1, [1], [[1]])
    finalize(world)
    assert world.batch.status is BatchStatus.CANCELLED
    assert len(world.results().output) == 1


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_a_final_status_never_changes(status: str) -> None:
    world = running(status=status)
    add_shard(world, 1, [1], [[1]])
    before = world.batch
    assert finalize(world) == "done"
    assert world.batch == before


def test_an_unknown_batch_is_done() -> None:
    assert World(NOBODY).step("FinalizeBatch")["next"] == "done"


def test_a_batch_that_is_cancelled_meanwhile_is_looked_at_again() -> None:
    world = running()
    add_shard(world, 1, [1], [[1]])
    world.now += 1
    get_object = world.s3.get_object

    def meanwhile(**given: Any) -> Any:
        batch = world.batch
        world.stores.batches.save(batch.model_copy(update={"metadata": {"a": "b"}}))
        return get_object(**given)

    world.s3.get_object = meanwhile
    with pytest.raises(WriteConflict):
        finalize(world)
    world.s3.get_object = get_object
    assert finalize(world) == "done"
    assert world.batch.metadata == {"a": "b"}


# ---- Shards that nobody goes on with


@pytest.mark.parametrize("state", ["planned", "submitting", "submitted", "ended"])
def test_a_shard_that_was_left_is_stopped_and_its_lines_are_told(state: str) -> None:
    world = running()
    add_shard(world, 1, [1], [[1]])
    add_shard(world, 2, [2], [], state=ShardState(state), ending=None)
    assert finalize(world) == "done"
    left = world.shards[1]
    assert (left.state, left.ending, left.failed) == (ShardState.STOPPED, Ending.LOST, 1)
    assert world.results().error_codes == ["internal_error"]


def test_a_shard_that_somebody_goes_on_with_is_not_stopped() -> None:
    world = running()
    planned = add_shard(world, 1, [1], [], state=ShardState.PLANNED)
    query = world.dynamo.query

    def meanwhile(**given: Any) -> Any:
        found = query(**given)
        world.stores.parts.hold(planned, world.now, 600)
        return found

    world.dynamo.query = meanwhile
    with pytest.raises(LeaseLost):
        finalize(world)
    world.dynamo.query = query
    assert world.shard.state is ShardState.PLANNED


def test_what_was_planned_of_a_batch_that_never_started_is_left_out() -> None:
    world = running(status="cancelling", cancelling_at=NOW, shards=0)
    add_shard(world, 1, [1], [], state=ShardState.PLANNED)
    assert finalize(world) == "done"
    assert (world.batch.counts.total, world.batch.error_file_id) == (0, None)
