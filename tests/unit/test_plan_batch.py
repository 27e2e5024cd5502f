"""PlanBatch: every line is checked, good files become parts, and stopping changes nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.deployment import Deployment
from nightmail.endpoints import EMBEDDINGS
from nightmail.errors import InvalidConfig, StorageUnavailable, WriteConflict
from nightmail.lines import MAX_LINE_BYTES
from nightmail.payloads import Next
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.machine import Json
from tests.unit.planning import MODEL, Planning, a_file, a_line, as_jsonl, deployment
from tests.unit.samples import NOW


def lines_of(count: int) -> list[Json]:
    return [a_line(number) for number in range(1, count + 1)]


@pytest.fixture
def planning() -> Planning:
    return Planning()


# ---- Good files


def test_a_good_file_becomes_a_shard_and_the_batch_is_in_progress(planning: Planning) -> None:
    planning.create(lines_of(3))
    step = planning.step()
    assert (step.next, step.shards, step.chunks) == (Next.PARTS, 1, 0)
    assert (step.shard_concurrency, step.map_concurrency) == (3, 1)
    batch = planning.batch
    assert batch.status is BatchStatus.IN_PROGRESS
    assert (batch.in_progress_at, batch.shards, batch.chunks, batch.model) == (NOW, 1, 0, MODEL)
    assert batch.counts.total == 3
    (shard,) = planning.shards
    assert (shard.lines, shard.deployment.name, shard.endpoint) == (3, MODEL, batch.endpoint)
    marks = [line["custom_id"] for line in planning.sent(shard)]
    assert [mark.rpartition("-")[2] for mark in marks] == ["1", "2", "3"]


def test_an_index_keeps_the_numbers_places_and_custom_ids_of_the_file(planning: Planning) -> None:
    one, two = as_jsonl([{**a_line(1), "custom_id": '"\n🦉'}, a_line(2)]).splitlines()
    content = b"\n" + one + b"\n\n\n" + two
    planning.plan(content)
    rows = planning.index(planning.shards[0])
    assert [(row.number, row.custom_id.decode()) for row in rows] == [
        (2, '"\\"\\n🦉"'),
        (5, '"line-2"'),
    ]
    assert [content[row.start : row.end].strip() for row in rows] == [one, two]


def test_shards_keep_within_the_lines_and_bytes_of_the_provider(
    planning: Planning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIFormat, "limits", Limits(lines=3, bytes=700))
    sizes = [number % 4 * 100 for number in range(1, 20)]
    planning.plan([a_line(number, user="x" * size) for number, size in enumerate(sizes, 1)])
    assert sum(shard.lines for shard in planning.shards) == 19
    for shard in planning.shards:
        assert shard.lines <= 3
        assert shard.lines == 1 or sum(segment.size for segment in shard.input) <= 700
    assert planning.items("shard") == [shard.number for shard in planning.shards]
    rows = [row for shard in planning.shards for row in planning.index(shard)]
    assert [row.number for row in rows] == list(range(1, 20))


def test_shards_keep_within_the_texts_that_the_provider_embeds_in_a_batch(
    planning: Planning,
) -> None:
    texts: list[Any] = [["x"] * 30_000, ["x"] * 20_000, "one", [1, 2, 3], [[1], [2]]]
    body = {"model": MODEL}
    planning.plan(
        [
            {
                "custom_id": f"line-{number}",
                "method": "POST",
                "url": EMBEDDINGS,
                "body": {**body, "input": text},
            }
            for number, text in enumerate(texts, 1)
        ],
        endpoint=EMBEDDINGS,
    )
    assert [shard.lines for shard in planning.shards] == [2, 3]


def test_planning_again_changes_nothing(planning: Planning) -> None:
    planning.plan(lines_of(3))
    before = (planning.batch, planning.parts)
    assert planning.run() is Next.PARTS
    assert (planning.batch, planning.parts) == before


def test_a_key_that_is_missing_does_not_matter_yet() -> None:
    planning = Planning([deployment(api_key="os.environ/NOT_THERE")])
    planning.plan(lines_of(1))
    assert planning.shards[0].deployment.api_key == "os.environ/NOT_THERE"


def test_the_hint_chooses_with_the_name(planning: Planning) -> None:
    planning.plan(lines_of(5), deployment_hint="mine")
    assert planning.asked == [(MODEL, "mine")]


@pytest.mark.parametrize("strict", [True, False])
def test_what_the_config_says_now_holds_for_the_batch_for_ever(strict: bool) -> None:
    planning = Planning(strict=strict, on_deadline="finish_direct")
    planning.plan(lines_of(1))
    assert (planning.batch.strict, planning.batch.on_deadline) == (strict, "finish_direct")


def test_what_the_batch_says_goes_before_the_config() -> None:
    planning = Planning(strict=True, on_deadline="finish_direct")
    planning.plan(lines_of(1), strict=False, on_deadline="expire")
    assert (planning.batch.strict, planning.batch.on_deadline) == (False, "expire")


# ---- Bad files


def test_up_to_a_hundred_errors_are_told_in_the_order_of_the_lines(planning: Planning) -> None:
    lines = [{**a_line(number), "custom_id": "same"} for number in range(61)]
    codes = planning.refusals(as_jsonl(lines) + b"no json\n" * 60)
    assert len(codes) == 100
    assert codes == sorted(codes, key=lambda error: error[1] or 0)


def test_a_repeated_custom_id_names_the_later_line(planning: Planning) -> None:
    lines = [*lines_of(3), {**a_line(9), "custom_id": "line-2"}]
    assert planning.refusals(lines) == [("duplicate_custom_id", 4)]
    assert "'line-2'" in planning.batch.errors[0].message


def test_an_unknown_model_is_told_on_every_line_beside_other_errors() -> None:
    planning = Planning([])
    assert planning.refusals(b"no json\n" + as_jsonl(lines_of(2))) == [
        ("invalid_json_line", 1),
        ("model_not_found", 2),
        ("model_not_found", 3),
    ]


@pytest.mark.parametrize(
    ("provider", "more", "reason"),
    [
        ("elsewhere", {}, "elsewhere is no provider of this gateway"),
        pytest.param(
            "cohere",
            {"lane": "native"},
            "cohere has no batch API here; with batch: auto",
            marks=pytest.mark.of("cohere"),
        ),
        pytest.param(
            "fireworks_ai",
            {"lane": "native"},
            "fireworks_ai's batches need an account: an organization in the config",
            marks=pytest.mark.of("fireworks_ai"),
        ),
        pytest.param(
            "bedrock",
            {"lane": "native", "aws_access_key_id": "os.environ/I"},
            "bedrock's batches need a chat model in the stack's own Region, without",
            marks=pytest.mark.of("bedrock"),
        ),
    ],
)
def test_a_model_without_any_lane_that_is_wanted_says_why(
    provider: str, more: dict[str, str], reason: str
) -> None:
    planning = Planning([deployment(**{"provider": provider, **more})])
    assert planning.refusals(lines_of(1)) == [("model_not_found", 1)]
    assert f"not supported by the Batch API: {reason}" in planning.batch.errors[0].message


def test_a_config_that_is_broken_is_told(planning: Planning) -> None:
    def broken(*_: object) -> list[Deployment]:
        raise InvalidConfig("Wrong.")

    planning.create(lines_of(1))
    planner = dataclasses.replace(planning.planner, deployments_of=broken)
    assert planning.run(planner) is Next.FAILED
    assert [(error.code, error.message) for error in planning.batch.errors] == [
        (InvalidConfig("").code, "Wrong.")
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n"])
def test_a_file_without_a_request_is_empty(planning: Planning, content: bytes) -> None:
    assert planning.refusals(content) == [("empty_file", None)]


def test_more_lines_than_allowed_are_refused() -> None:
    planning = Planning(most_lines=3)
    assert planning.refusals(lines_of(4)) == [("too_many_requests", None)]


def test_as_many_lines_as_allowed_are_taken() -> None:
    planning = Planning(most_lines=3)
    planning.plan(lines_of(3))
    assert planning.batch.counts.total == 3


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    planning = Planning(most_bytes=10)
    assert planning.refusals(lines_of(1)) == [("file_too_large", None)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"purpose": "user_data"}, "has the purpose 'user_data'"),
        ({"status": "error", "status_details": "Wrong sum."}, "is damaged: Wrong sum."),
        ({"expires_at": NOW}, "Cannot find file file-in"),
        ({"owner": "bob"}, "Cannot find file file-in"),
    ],
)
def test_a_record_that_cannot_be_run_is_refused(
    planning: Planning, changes: Json, message: str
) -> None:
    planning.create(lines_of(1))
    planning.stores.files.delete("alice", "file-in")
    planning.stores.files.create(a_file(**changes))
    assert planning.run() is Next.FAILED
    assert message in planning.batch.errors[0].message
    assert planning.batch.errors[0].param == "file_id"


def test_a_file_whose_checksum_is_not_checked_yet_is_waited_for(planning: Planning) -> None:
    planning.create(lines_of(1))
    planning.stores.files.create(a_file(status="uploaded", md5="0" * 32))
    with pytest.raises(StorageUnavailable):
        planning.run()


def test_a_file_whose_objects_are_just_being_joined_is_waited_for(planning: Planning) -> None:
    planning.create(lines_of(1))
    planning.stores.objects.delete(["files/alice/file-in"])
    with pytest.raises(StorageUnavailable):
        planning.run()


def test_a_line_of_seventeen_megabytes_is_an_error_and_its_neighbours_are_read(
    planning: Planning,
) -> None:
    long = as_jsonl([a_line(2, user="x" * (MAX_LINE_BYTES + 2**20))])
    content = as_jsonl(lines_of(1)) + long + b"no json\n"
    assert planning.refusals(content) == [("line_too_long", 2), ("invalid_json_line", 3)]


def test_a_line_of_fifteen_megabytes_is_taken(planning: Planning) -> None:
    planning.plan([a_line(1, user="x" * (MAX_LINE_BYTES - 2**20)), a_line(2)])
    assert planning.shards[0].lines == 2


def test_errors_with_huge_texts_fit_into_the_table(planning: Planning) -> None:
    huge = "🦉" * 100_000
    lines = [{**a_line(number), "custom_id": huge} for number in range(100)]
    assert len(planning.refusals(lines)) == 99
    assert len(planning.batch.model_dump_json().encode()) < 400_000


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
def test_a_batch_that_is_further_is_sent_on(planning: Planning, status: str, goes_to: str) -> None:
    planning.create(lines_of(1), status=status)
    assert planning.run() == goes_to
    assert planning.parts == []


def test_a_batch_that_is_unknown_is_done(planning: Planning) -> None:
    assert planning.step().next is Next.DONE


def test_a_batch_that_is_cancelled_while_it_is_planned_is_not_started(planning: Planning) -> None:
    planning.create(lines_of(1))
    put = planning.s3.put_object

    def cancel_meanwhile(**given: Any) -> None:
        put(**given)
        if planning.batch.status is BatchStatus.VALIDATING:
            planning.stores.batches.save(planning.batch.move_to(BatchStatus.CANCELLING, NOW))

    planning.s3.put_object = cancel_meanwhile
    with pytest.raises(WriteConflict):
        planning.run()
    assert planning.run() is Next.FINALIZE
