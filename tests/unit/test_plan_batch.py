"""PlanBatch: every line is checked, good files become shards, and stopping changes nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.batch import BatchStatus
from nightmail.deployment import Deployment
from nightmail.errors import (
    ConfigError,
    CredentialMissing,
    InvalidConfig,
    NotFound,
    StorageUnavailable,
    WriteConflict,
)
from nightmail.lines import MAX_LINE_BYTES
from nightmail.providers.base import Limits
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.stores import multipart

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.memory import MemoryS3
from tests.unit.samples import BATCH_ID, NOW
from tests.unit.world import World, as_jsonl, input_file, request, requests

NOBODY = SimulatorClient("http://127.0.0.1:9")  # planning asks no provider
WORK = f"work/{BATCH_ID}"


@pytest.fixture
def world() -> World:
    return World(NOBODY)


def plan(world: World) -> str:
    """Plan to the end; answers where the state machine goes."""
    while (step := world.step("PlanBatch"))["next"] == "more":
        pass
    return str(step["next"])


def errors_of(world: World, content: list[Json] | bytes) -> list[tuple[str, int | None]]:
    """The errors of a file that is refused."""
    world.create(content)
    assert plan(world) == "failed"
    assert world.shards == []
    return [(error.code, error.line) for error in world.batch.errors]


def with_limits(world: World, **limits: int) -> World:
    changed = dataclasses.replace(world.planner.limits, **limits)
    world.planner = dataclasses.replace(world.planner, limits=changed)
    return world


def served_by(world: World, choose: Callable[[str, str | None], list[Deployment]]) -> World:
    world.planner = dataclasses.replace(world.planner, deployments_of=choose)
    return world


def shard_lines(world: World, number: int = 1) -> list[Json]:
    content = b"".join(world.stores.objects.chunks(world.shards[number - 1].input))
    return [json.loads(line) for line in content.splitlines()]


# ---- Good files


def test_a_good_file_becomes_a_shard_and_the_batch_is_in_progress(world: World) -> None:
    world.create(requests(3))
    step = world.step("PlanBatch")
    assert step == {
        "v": 1,
        "next": "parts",
        "wait_seconds": 0,
        "concurrency": 1,
        "shards": 1,
        "chunks": 0,
    }
    batch = world.batch
    assert batch.status is BatchStatus.IN_PROGRESS
    assert (batch.in_progress_at, batch.shards, batch.model) == (NOW, 1, "gpt-5-mini")
    assert batch.counts.total == 3
    (shard,) = world.shards
    assert (shard.lines, shard.deployment.name) == (3, "gpt-5-mini")
    assert [line["custom_id"] for line in shard_lines(world)] == ["1", "2", "3"]


def test_an_index_keeps_the_numbers_and_custom_ids_of_the_file(world: World) -> None:
    one, two = as_jsonl([request(1, custom_id='"\n🦉'), request(2)]).splitlines()
    world.create(b"\n" + one + b"\n\n\n" + two)
    plan(world)
    index = b"".join(world.stores.objects.chunks(world.shards[0].index))
    assert index.decode() == '2 "\\"\\n🦉"\n5 "line-2"\n'


def test_shards_keep_within_the_lines_and_bytes_of_the_provider(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIProvider, "limits", Limits(lines=3, bytes=700))
    lines = [request(number, "x" * (number % 4) * 100) for number in range(1, 20)]
    world.create(lines)
    plan(world)
    assert sum(shard.lines for shard in world.shards) == 19
    for shard in world.shards:
        assert shard.lines <= 3
        assert shard.lines == 1 or sum(segment.size for segment in shard.input) <= 700
    items = world.stores.objects.get(f"{WORK}/shards.jsonl").splitlines()
    assert [json.loads(item)["shard"] for item in items] == [s.number for s in world.shards]
    sent = [line["custom_id"] for s in world.shards for line in shard_lines(world, s.number)]
    assert sent == [str(number) for number in range(1, 20)]


def test_the_first_deployment_with_a_native_lane_is_chosen(world: World) -> None:
    asked: list[tuple[str, str | None]] = []

    def choose(model: str, hint: str | None) -> list[Deployment]:
        asked.append((model, hint))
        elsewhere = Deployment(name=model, provider="elsewhere", model="x")
        return [elsewhere, *world.deployments_of(model)]

    served_by(world, choose)
    world.create(requests(5), deployment_hint="mine")
    assert plan(world) == "parts"
    assert world.shards[0].deployment.provider == "openai"
    assert asked == [("gpt-5-mini", "mine")]


def test_planning_again_changes_nothing(world: World) -> None:
    world.create(requests(3))
    plan(world)
    before = (world.batch, world.shards)
    assert plan(world) == "parts"
    assert (world.batch, world.shards) == before


# ---- Bad files


def test_up_to_a_hundred_errors_are_told_in_the_order_of_the_lines(world: World) -> None:
    lines = [request(1, custom_id="same"), *[request(2, custom_id="same")] * 60]
    content = as_jsonl(lines) + b"no json\n" * 60
    codes = errors_of(world, content)
    assert len(codes) == 100
    assert codes == sorted(codes, key=lambda error: error[1] or 0)


def test_a_repeated_custom_id_names_the_later_line(world: World) -> None:
    lines = [*requests(3), request(9, custom_id="line-2")]
    assert errors_of(world, lines) == [("duplicate_custom_id", 4)]
    assert "'line-2'" in world.batch.errors[0].message


def test_another_model_is_a_mismatch_on_every_line_that_has_one(world: World) -> None:
    lines = requests(4)
    for line in lines[1:3]:
        line["body"]["model"] = "other"
    assert errors_of(world, lines) == [("mismatched_model", 2), ("mismatched_model", 3)]


def test_an_unknown_model_is_told_on_every_line_beside_other_errors(world: World) -> None:
    def nobody(model: str, _: str | None) -> list[Deployment]:
        raise NotFound(f"The provided model '{model}' is not supported by the Batch API.")

    served_by(world, nobody)
    content = b"no json\n" + as_jsonl(requests(2))
    assert errors_of(world, content) == [
        ("invalid_json_line", 1),
        ("model_not_found", 2),
        ("model_not_found", 3),
    ]


def test_a_model_without_a_native_lane_names_who_serves_it(world: World) -> None:
    elsewhere = Deployment(name="m", provider="elsewhere", model="x")
    served_by(world, lambda *_: [elsewhere])
    assert errors_of(world, requests(1)) == [("model_not_found", 1)]
    assert "served by elsewhere" in world.batch.errors[0].message


@pytest.mark.parametrize("error", [CredentialMissing("KEY is missing."), InvalidConfig("Wrong.")])
def test_what_is_wrong_with_the_deployment_is_told(world: World, error: ConfigError) -> None:
    def broken(_: Deployment) -> Any:
        raise error

    world.planner = dataclasses.replace(world.planner, provider_of=broken)
    assert errors_of(world, requests(1)) == [(error.code, None)]
    assert world.batch.errors[0].message == error.message


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n"])
def test_a_file_without_a_request_is_empty(world: World, content: bytes) -> None:
    assert errors_of(world, content) == [("empty_file", None)]


def test_more_lines_than_allowed_are_refused(world: World) -> None:
    with_limits(world, lines=3)
    assert errors_of(world, requests(4)) == [("too_many_requests", None)]


def test_as_many_lines_as_allowed_are_taken(world: World) -> None:
    with_limits(world, lines=3)
    world.create(requests(3))
    assert plan(world) == "parts"


def test_a_file_that_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    with_limits(world, bytes=10)
    assert errors_of(world, requests(1)) == [("file_too_large", None)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"purpose": "user_data"}, "has the purpose 'user_data'"),
        ({"status": "error", "status_details": "Wrong sum."}, "is damaged: Wrong sum."),
        ({"expires_at": NOW}, "Cannot find file file-in"),
        ({"owner": "bob"}, "Cannot find file file-in"),
    ],
)
def test_a_record_that_cannot_be_run_is_refused(world: World, changes: Json, message: str) -> None:
    world.create(requests(1))
    world.stores.files.delete("alice", "file-in")
    world.stores.files.create(input_file(**changes))
    assert plan(world) == "failed"
    assert message in world.batch.errors[0].message
    assert world.batch.errors[0].param == "file_id"


def test_a_file_whose_checksum_is_not_checked_yet_is_waited_for(world: World) -> None:
    world.create(requests(1))
    world.stores.files.create(input_file(status="uploaded", md5="0" * 32))
    with pytest.raises(StorageUnavailable):
        plan(world)


def test_a_line_of_seventeen_megabytes_is_an_error_and_its_neighbours_are_read(
    world: World,
) -> None:
    long = as_jsonl([request(2, "x" * (MAX_LINE_BYTES + 2**20))])
    content = as_jsonl(requests(1)) + long + b"no json\n"
    assert errors_of(world, content) == [("line_too_long", 2), ("invalid_json_line", 3)]


def test_a_line_of_fifteen_megabytes_is_taken(world: World) -> None:
    world.create([request(1, "x" * (MAX_LINE_BYTES - 2**20)), request(2)])
    assert plan(world) == "parts"


def test_errors_with_huge_texts_fit_into_the_table(world: World) -> None:
    huge = "🦉" * 100_000
    errors = errors_of(world, [request(1, custom_id=huge), *[request(2, custom_id=huge)] * 99])
    assert len(errors) == 99
    assert len(world.batch.model_dump_json().encode()) < 400_000


# ---- Batches that want no planning


@pytest.mark.parametrize(
    ("status", "goes_to"),
    [
        ("in_progress", "parts"),
        ("finalizing", "finalize"),
        ("cancelling", "finalize"),
        ("completed", "done"),
        ("failed", "done"),
        ("expired", "done"),
        ("cancelled", "done"),
    ],
)
def test_a_batch_that_is_further_is_sent_on(world: World, status: str, goes_to: str) -> None:
    world.create(requests(1), status=status)
    assert plan(world) == goes_to
    assert world.shards == []


def test_a_batch_that_is_unknown_is_done(world: World) -> None:
    assert plan(world) == "done"


def test_a_batch_that_is_cancelled_while_it_is_planned_is_not_started(world: World) -> None:
    world.create(requests(1))
    put = world.s3.put_object

    def cancel_meanwhile(**given: Any) -> None:
        put(**given)
        world.cancel()

    world.s3.put_object = cancel_meanwhile
    with pytest.raises(WriteConflict):
        plan(world)
    assert plan(world) == "finalize"


# ---- Stopping and going on


def planned(content: bytes, lines_a_run: int) -> tuple[Any, ...]:
    """All that a plan leaves behind."""
    world = World(NOBODY, lines_a_run=lines_a_run)
    world.create(content)
    step = plan(world)
    pieces = {
        key: value for key, value in world.s3.objects.items() if key.startswith(f"{WORK}/shards")
    }
    if step == "failed":
        return step, world.batch
    return step, world.batch, world.shards, pieces


GOOD = st.builds(request, st.integers(1, 6), st.text(max_size=20))
BAD = st.sampled_from([b"", b"no json", b"\xff", b'{"custom_id":"x"}', as_jsonl([request(1)])[:-1]])


@given(st.lists(GOOD.map(lambda line: as_jsonl([line])[:-1]) | BAD, max_size=9), st.integers(1, 4))
def test_a_plan_that_was_stopped_is_the_plan_that_was_not(
    lines: list[bytes], lines_a_run: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "PART_BYTES", 300)
        patch.setattr(OpenAIProvider, "limits", Limits(lines=3, bytes=700))
        content = b"\n".join(lines)
        assert planned(content, lines_a_run) == planned(content, 0)


@given(st.binary())
def test_no_file_breaks_the_planning(content: bytes) -> None:
    assert planned(content, 0)[0] == "failed"


def test_a_plan_whose_upload_is_gone_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 100)
    world.lines_a_run = 2
    world.create(requests(5))
    assert world.step("PlanBatch")["next"] == "more"
    uploads = world.s3
    assert isinstance(uploads, MemoryS3)
    uploads.forget_uploads()
    with pytest.raises(StorageUnavailable):
        plan(world)
    assert plan(world) == "parts"
    assert len(shard_lines(world)) == 5
