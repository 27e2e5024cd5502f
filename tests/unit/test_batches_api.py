"""`/batches`, through the function that serves it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.api.batches import Batches
from nightmail.batch import Batch, BatchError, BatchStatus, RequestCounts
from nightmail.errors import StorageUnavailable, WriteConflict
from nightmail.shard import ShardState
from nightmail.stores.batches import BatchStore
from nightmail.stores.parts import PartStore
from nightmail.stores.table import Table
from nightmail.usage import Usage

from functions.batches.handler import handler
from tests.unit.gateway import Answer, ask, proxy_event
from tests.unit.samples import BATCH_ID, NOW, sample_batch, sample_bill, sample_shard

BODY: dict[str, Any] = {
    "input_file_id": "file-in",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}
OURS = (
    "'/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses', "
    "and '/v1/moderations'"
)
FIELDS = {
    "id",
    "object",
    "endpoint",
    "model",
    "errors",
    "input_file_id",
    "completion_window",
    "status",
    "output_file_id",
    "error_file_id",
    "created_at",
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
    "request_counts",
    "usage",
    "metadata",
    "nightmail",
}

pytestmark = pytest.mark.usefixtures("aws")


def create(owner: str = "alice", headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    body = json.dumps({**BODY, **changes})
    return ask(handler, proxy_event("POST", "/batches", body=body, headers=headers, owner=owner))


def get(path: str, owner: str = "alice", **query: str) -> Answer:
    return ask(handler, proxy_event("GET", path, query=query, owner=owner))


def cancel(batch_id: str, owner: str = "alice") -> Answer:
    return ask(handler, proxy_event("POST", f"/batches/{batch_id}/cancel", owner=owner))


def refused(answer: Answer, param: str | None, code: str | None) -> str:
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, code)
    assert answer.error["type"] == "invalid_request_error"
    message: str = answer.error["message"]
    return message


def test_a_new_batch_is_validating_with_every_field_present(batches: BatchStore) -> None:
    answer = create(metadata={"customer": "é"})
    batch = answer.json
    assert answer.status == 200
    assert set(batch) == FIELDS
    assert batch["id"].startswith("batch_")
    assert (batch["object"], batch["status"]) == ("batch", "validating")
    assert batch["expires_at"] == batch["created_at"] + 86_400
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert batch["metadata"] == {"customer": "é"}
    nulls = {"model", "errors", "output_file_id", "error_file_id"}
    nulls |= {field for field in FIELDS if field.endswith("_at")} - {"created_at", "expires_at"}
    assert all(batch[field] is None for field in nulls)
    assert batches.get("alice", batch["id"]).input_file_id == "file-in"
    assert answer.headers["x-request-id"]


def test_what_was_created_can_be_retrieved(aws: None) -> None:
    created = create().json
    assert get(f"/batches/{created['id']}").json == created


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_a_prefix_of_the_path_is_no_part_of_it(prefix: str) -> None:
    assert get(f"{prefix}/batches").json["data"] == []


@pytest.mark.parametrize("field", sorted(BODY))
def test_a_missing_field_is_named(field: str) -> None:
    body = json.dumps({name: value for name, value in BODY.items() if name != field})
    answer = ask(handler, proxy_event("POST", "/batches", body=body))
    message = refused(answer, field, "missing_required_parameter")
    assert message == f"Missing required parameter: '{field}'."


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a decimal number"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
@pytest.mark.parametrize("field", sorted(BODY))
def test_a_field_of_another_type_is_named_with_the_type(field: str, value: Any, got: str) -> None:
    message = refused(create(**{field: value}), field, "invalid_type")
    assert message == f"Invalid type for '{field}': expected a string, but got {got} instead."


@pytest.mark.parametrize("endpoint", ["/v1/x", "/v1/images/generations", "/v1/videos", ""])
def test_an_endpoint_that_is_not_ours_is_refused_with_the_list(endpoint: str) -> None:
    message = refused(create(endpoint=endpoint), "endpoint", "invalid_value")
    assert message == f"Invalid value: '{endpoint}'. Supported values are: {OURS}."


def test_an_input_file_that_nobody_knows_makes_a_batch_all_the_same() -> None:
    assert create(input_file_id="file-nobody-knows").status == 200


def test_a_file_id_of_any_length_is_an_answer_and_no_crash() -> None:
    refused(create(input_file_id="f" * 100_000), "input_file_id", "string_above_max_length")


@pytest.mark.parametrize(
    "metadata", [None, {}, {"k" * 64: "v" * 512}, {str(n): "" for n in range(16)}]
)
def test_metadata_within_the_limits_is_kept(metadata: dict[str, str] | None) -> None:
    created = create(metadata=metadata).json
    assert created["metadata"] == metadata
    assert get(f"/batches/{created['id']}").json["metadata"] == metadata


@pytest.mark.parametrize(
    ("metadata", "param", "code"),
    [
        ({"tags": ["a"]}, "metadata.tags", "invalid_type"),
        ({"count": 1}, "metadata.count", "invalid_type"),
        (["a"], "metadata", "invalid_type"),
        ({str(n): "" for n in range(17)}, "metadata", "object_above_max_properties"),
        ({"k" * 65: ""}, "metadata", "property_name_above_max_length"),
        ({"": "x"}, "metadata", "property_name_below_min_length"),
        ({"k": "v" * 513}, "metadata.k", "string_above_max_length"),
    ],
)
def test_metadata_over_the_limits_is_refused(metadata: Any, param: str, code: str) -> None:
    refused(create(metadata=metadata), param, code)


@pytest.mark.parametrize("seconds", [3600, 2_592_000])
def test_the_life_of_the_output_is_kept_with_the_batch(seconds: int, batches: BatchStore) -> None:
    asked = {"anchor": "created_at", "seconds": seconds}
    batch = batches.get("alice", create(output_expires_after=asked).json["id"])
    assert batch.output_expires_after is not None
    assert batch.output_expires_after.seconds == seconds


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        ("1h", "output_expires_after", "invalid_type"),
        ({"seconds": 3600}, "output_expires_after.anchor", "missing_required_parameter"),
        ({"anchor": "created_at"}, "output_expires_after.seconds", "missing_required_parameter"),
        ({"anchor": "now", "seconds": 3600}, "output_expires_after.anchor", "invalid_value"),
        (
            {"anchor": "created_at", "seconds": 3599},
            "output_expires_after.seconds",
            "integer_below_min_value",
        ),
        (
            {"anchor": "created_at", "seconds": 2_592_001},
            "output_expires_after.seconds",
            "integer_above_max_value",
        ),
        ({"anchor": "created_at", "seconds": True}, "output_expires_after.seconds", "invalid_type"),
    ],
)
def test_a_wrong_life_of_the_output_is_refused(asked: Any, param: str, code: str) -> None:
    refused(create(output_expires_after=asked), param, code)


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert create(custom_llm_provider="openai", target_model_names="a,b", foo=[1]).status == 200


def test_an_extension_that_nothing_acts_on_is_refused_by_name() -> None:
    message = refused(create(nightmail={"stirct": True}), "nightmail.stirct", "unknown_parameter")
    assert message == "Unknown parameter: 'nightmail.stirct'."
    assert create(nightmail={}).status == 200


@pytest.mark.parametrize("where", ["body", "query", "header"])
def test_a_hint_for_a_model_is_kept_from_wherever_it_comes(where: str, batches: BatchStore) -> None:
    body = {**BODY, "model": "gpt-hint"} if where == "body" else BODY
    event = proxy_event(
        "POST",
        "/batches",
        body=json.dumps(body),
        query={"model": "gpt-hint"} if where == "query" else None,
        headers={"X-LiteLLM-Model": "gpt-hint"} if where == "header" else None,
        owner="alice",
    )
    created = ask(handler, event).json
    assert batches.get("alice", created["id"]).deployment_hint == "gpt-hint"
    assert created["model"] is None


@pytest.mark.parametrize("path", ["/batches", f"/batches/{BATCH_ID}"])
def test_hints_on_a_get_are_ignored(path: str, batches: BatchStore) -> None:
    batches.create(sample_batch())
    event = proxy_event(
        "GET",
        path,
        query={"custom_llm_provider": "openai", "target_model_names": "a", "model": "b"},
        headers={"custom-llm-provider": "openai", "x-litellm-model": "b"},
        owner="alice",
    )
    assert ask(handler, event).status == 200


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    nested = '{"x": ' + "[" * 400 + "]" * 400 + "}"
    answer = ask(
        handler,
        proxy_event("POST", "/batches", body=nested, headers={"idempotency-key": "once"}),
    )
    assert answer.status == 400
    assert "nested too deeply" in answer.error["message"]


@pytest.mark.parametrize("body", [None, "", "{", "[1]", "null", b"\xff\xfe", b'{"a": "\xff"}'])
def test_a_body_that_is_no_json_object_is_refused(body: str | bytes | None) -> None:
    refused(ask(handler, proxy_event("POST", "/batches", body=body)), None, None)


# ---- Idempotency-Key


def test_the_same_key_and_request_answer_the_same_batch_as_it_is_now(batches: BatchStore) -> None:
    first = create(headers={"Idempotency-Key": "k"}, metadata={"a": "1", "b": "2"}).json
    batches.save(batches.get("alice", first["id"]).move_to(BatchStatus.IN_PROGRESS, NOW))
    again = create(headers={"idempotency-key": "k"}, metadata={"b": "2", "a": "1"}).json
    assert (again["id"], again["status"]) == (first["id"], "in_progress")
    assert len(get("/batches").json["data"]) == 1


def test_the_same_key_for_another_request_is_a_conflict_that_is_final() -> None:
    create(headers={"Idempotency-Key": "k"})
    answer = create(headers={"Idempotency-Key": "k"}, endpoint="/v1/embeddings")
    assert (answer.status, answer.error["code"]) == (409, "idempotency_conflict")
    assert answer.headers["x-should-retry"] == "false"


def test_two_owners_may_use_the_same_key() -> None:
    first = create("alice", {"Idempotency-Key": "k"}).json
    assert (
        create("bob", {"Idempotency-Key": "k"}, endpoint="/v1/embeddings").json["id"] != first["id"]
    )


def test_without_a_key_the_same_request_is_another_batch() -> None:
    assert create().json["id"] != create().json["id"]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_an_unfit_length_is_refused(key: str) -> None:
    refused(create(headers={"Idempotency-Key": key}), "Idempotency-Key", "invalid_value")


def test_a_key_of_255_characters_of_any_kind_is_taken() -> None:
    assert create(headers={"Idempotency-Key": "🦉" * 255}).status == 200


class BeatenStore(BatchStore):
    """Between the look and the write, somebody else creates a batch with the same key."""

    beaten = False

    def create_once(self, batch: Batch, key: str, request_digest: str, now: int) -> None:
        if not self.beaten:
            self.beaten = True
            super().create_once(batch.model_copy(update={"id": BATCH_ID}), key, request_digest, now)
        super().create_once(batch, key, request_digest, now)


def test_two_simultaneous_creates_with_one_key_make_one_batch(table: Table) -> None:
    store = BeatenStore(table)
    created = Batches(store, PartStore(table), lambda: NOW).create(
        "alice", BODY, idempotency_key="k"
    )
    assert created["id"] == BATCH_ID
    assert [batch.id for batch in store.list("alice")] == [BATCH_ID]


class SilentStore(BatchStore):
    """Writes, but the answer is lost on the way."""

    def create(self, batch: Batch) -> None:
        super().create(batch)
        raise StorageUnavailable("lost")

    def create_once(self, batch: Batch, key: str, request_digest: str, now: int) -> None:
        super().create_once(batch, key, request_digest, now)
        raise StorageUnavailable("lost")


@pytest.mark.parametrize("key", [None, "k"])
def test_a_create_whose_answer_was_lost_is_acknowledged_because_it_will_run(
    key: str | None, table: Table
) -> None:
    store = SilentStore(table)
    created = Batches(store, PartStore(table), lambda: NOW).create(
        "alice", BODY, idempotency_key=key
    )
    assert [batch.id for batch in store.list("alice")] == [created["id"]]


class BrokenStore(BatchStore):
    """Writes nothing."""

    def create(self, *_: Any) -> None:
        raise StorageUnavailable("away")

    def create_once(self, *_: Any) -> None:
        raise StorageUnavailable("away")


@pytest.mark.parametrize("key", [None, "k"])
def test_a_create_that_wrote_nothing_is_refused_and_leaves_nothing(
    key: str | None, table: Table
) -> None:
    store = BrokenStore(table)
    with pytest.raises((StorageUnavailable, WriteConflict)):
        Batches(store, PartStore(table), lambda: NOW).create("alice", BODY, idempotency_key=key)
    assert list(store.list("alice")) == []


# ---- Retrieve


def test_an_unknown_batch_and_another_owners_answer_the_same(batches: BatchStore) -> None:
    batches.create(sample_batch())
    answers = [get(f"/batches/{BATCH_ID}", owner="bob"), cancel(BATCH_ID, owner="bob")]
    answers += [get("/batches/batch_x"), cancel("batch_x"), get(f"/batches/{'x' * 5000}")]
    for answer in answers:
        assert answer.status == 404
        assert answer.error["message"].startswith("No batch found with id '")
        assert (answer.error["type"], answer.error["code"]) == ("invalid_request_error", None)


def test_counts_of_a_running_batch_are_what_is_booked_and_progress_what_is_reported(
    batches: BatchStore, parts: PartStore
) -> None:
    batches.create(sample_batch(status="in_progress", shards=3, counts={"total": 30}))
    parts.plan(sample_shard(reported_completed=7, reported_failed=1))
    usage = Usage(input_tokens=5, cached_tokens=4, output_tokens=3, reasoning_tokens=2)
    bills = [sample_bill(lines=6, usage=usage)]
    booked = {"completed": 6, "failed": 4, "bills": bills, "state": "collected"}
    parts.plan(sample_shard(number=2, reported_completed=3, **booked))
    parts.plan(sample_shard(number=3, reported_completed=99, reported_failed=99))
    batch = get(f"/batches/{BATCH_ID}").json
    assert batch["request_counts"] == {"total": 30, "completed": 6, "failed": 4}
    assert batch["nightmail"]["progress"] == {"completed": 7 + 6 + 10, "failed": 1 + 4}
    assert batch["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 8,
    }


def test_the_figures_of_an_ended_batch_are_its_own(batches: BatchStore, parts: PartStore) -> None:
    counts = RequestCounts(total=10, completed=8, failed=2)
    bills = [sample_bill(lines=8, usage=Usage(input_tokens=100, output_tokens=10))]
    batches.create(sample_batch(status="completed", shards=1, counts=counts, bills=bills))
    parts.plan(sample_shard(completed=8))
    batch = get(f"/batches/{BATCH_ID}").json
    assert batch["request_counts"] == {"total": 10, "completed": 8, "failed": 2}
    assert batch["nightmail"]["progress"] == {"completed": 8, "failed": 2}
    assert batch["usage"]["total_tokens"] == 110


def looked_at(now: int, table: Table) -> dict[str, Any]:
    """The batch of `BATCH_ID` at that second."""
    return Batches(BatchStore(table), PartStore(table), lambda: now).retrieve("alice", BATCH_ID)


def test_the_details_name_each_shard_and_where_it_stands(
    batches: BatchStore, parts: PartStore, table: Table
) -> None:
    batches.create(sample_batch(status="in_progress", shards=1, counts={"total": 10}))
    state = ShardState.SUBMITTED
    told = {"provider_batch_id": "theirs", "provider_status": "queued", "progressed_at": NOW}
    told |= {"patience_seconds": 900}
    parts.plan(sample_shard(state=state, **told))
    assert looked_at(NOW + 60, table)["nightmail"]["shards"] == [
        {
            "number": 1,
            "round": 0,
            "deployment": "gpt-5-mini",
            "provider": "openai",
            "provider_batch_id": "theirs",
            "provider_status": "queued",
            "state": "submitted",
            "last_refusal": None,
            "lines": 10,
            "completed": 0,
            "failed": 0,
            "last_progress_at": NOW,
            "stalled": False,
        }
    ]


def test_of_many_shards_a_hundred_are_shown_and_all_are_counted(
    batches: BatchStore, parts: PartStore
) -> None:
    batches.create(sample_batch(status="in_progress", shards=101, counts={"total": 1010}))
    for number in range(1, 102):
        parts.plan(sample_shard(number=number, completed=1))
    batch = get(f"/batches/{BATCH_ID}").json
    assert len(batch["nightmail"]["shards"]) == 100
    assert batch["request_counts"]["completed"] == 101


def test_errors_are_openais_list(batches: BatchStore) -> None:
    error = BatchError(code="invalid_url", message="Wrong.", param="url", line=3)
    batches.create(sample_batch(status="failed", failed_at=NOW, errors=[error]))
    assert get(f"/batches/{BATCH_ID}").json["errors"] == {
        "object": "list",
        "data": [{"code": "invalid_url", "message": "Wrong.", "param": "url", "line": 3}],
    }


# ---- List


def numbered(number: int) -> str:
    return f"batch_{number:032x}"


def test_pages_follow_each_other_newest_first_until_there_is_no_more(batches: BatchStore) -> None:
    for number in range(5):
        batches.create(sample_batch(id=numbered(number)))
    batches.create(sample_batch(id=numbered(9), owner="bob"))
    pages, after = [], ""
    for _ in range(3):
        pages.append(get("/batches", limit="2", after=after).json)
        after = pages[-1]["last_id"]
    assert [[int(entry["id"][-1]) for entry in page["data"]] for page in pages] == [
        [4, 3],
        [2, 1],
        [0],
    ]
    assert [page["has_more"] for page in pages] == [True, True, False]
    assert (pages[0]["object"], pages[0]["first_id"]) == ("list", numbered(4))


def test_a_page_has_twenty_batches_unless_asked_otherwise(batches: BatchStore) -> None:
    for number in range(21):
        batches.create(sample_batch(id=numbered(number)))
    page = get("/batches").json
    assert (len(page["data"]), page["has_more"]) == (20, True)


def test_an_empty_list_has_no_ids() -> None:
    assert get("/batches").json == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("0", "integer_below_min_value"),
        ("-1", "integer_below_min_value"),
        ("101", "integer_above_max_value"),
        ("ten", "invalid_type"),
        ("1.5", "invalid_type"),
        ("٣", "invalid_type"),
        ("9" * 5000, "invalid_type"),
    ],
)
def test_a_wrong_limit_is_refused(limit: str, code: str) -> None:
    refused(get("/batches", limit=limit), "limit", code)


@pytest.mark.parametrize("after", [numbered(2), numbered(2) + "x", "nonsense", "🦉" * 3000])
def test_an_unknown_after_is_a_place_in_the_order(after: str, batches: BatchStore) -> None:
    batches.create(sample_batch(id=numbered(1)))
    batches.create(sample_batch(id=numbered(3)))
    behind = [entry["id"] for entry in get("/batches", after=after).json["data"]]
    assert behind == [number for number in (numbered(3), numbered(1)) if number < after]


# ---- Cancel


@pytest.mark.parametrize("status", ["validating", "in_progress"])
def test_a_batch_that_has_not_ended_is_cancelling(status: str, batches: BatchStore) -> None:
    batches.create(sample_batch(status=status))
    cancelling = cancel(BATCH_ID).json
    assert cancelling["status"] == "cancelling"
    assert cancelling["cancelling_at"] is not None
    assert cancelling == get(f"/batches/{BATCH_ID}").json


@pytest.mark.parametrize("status", ["cancelling", "cancelled"])
def test_cancelling_again_answers_the_batch_as_it_is(status: str, batches: BatchStore) -> None:
    batches.create(sample_batch(status=status, cancelling_at=NOW))
    answer = cancel(BATCH_ID)
    assert answer.status == 200
    assert (answer.json["status"], answer.json["cancelling_at"]) == (status, NOW)


@pytest.mark.parametrize("status", ["finalizing", "completed", "failed", "expired"])
def test_a_batch_that_has_ended_cannot_be_cancelled(status: str, batches: BatchStore) -> None:
    batches.create(sample_batch(status=status))
    answer = cancel(BATCH_ID)
    assert answer.status == 409
    assert answer.headers["x-should-retry"] == "false"
    assert answer.error == {
        "message": f"Cannot cancel a batch with status '{status}'.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert batches.get("alice", BATCH_ID).status == status


class MovingStore(BatchStore):
    """Between the look and the write, a step moves the batch on."""

    def __init__(self, table: Table, moves: list[BatchStatus]) -> None:
        super().__init__(table)
        self._moves = moves

    def save(self, batch: Batch) -> Batch:
        if self._moves:
            current = self.get(batch.owner, batch.id)
            super().save(current.move_to(self._moves.pop(0), NOW))
        return super().save(batch)


def test_a_cancel_that_meets_a_step_is_tried_again(table: Table) -> None:
    store = MovingStore(table, [BatchStatus.IN_PROGRESS])
    store.create(sample_batch())
    cancelling = Batches(store, PartStore(table), lambda: NOW).cancel("alice", BATCH_ID)
    assert cancelling["status"] == "cancelling"
    assert cancelling["in_progress_at"] == NOW


def test_a_cancel_that_a_final_status_overtook_is_refused(table: Table) -> None:
    store = MovingStore(table, [BatchStatus.FAILED])
    store.create(sample_batch())
    api = Batches(store, PartStore(table), lambda: NOW)
    with pytest.raises(Exception, match="Cannot cancel a batch with status 'failed'"):
        api.cancel("alice", BATCH_ID)
    assert store.get("alice", BATCH_ID).status == BatchStatus.FAILED
