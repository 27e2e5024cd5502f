"""What OpenRouter's batches have that no other's have: requests and results in one body, and no stop."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import NotInBatches, ProviderGarbled, ProviderUnavailable
from nightmail.outcome import Kind
from nightmail.part import Ending
from nightmail.payloads import Next
from nightmail.providers.base import Cursor, Phase
from nightmail.providers.openrouter.batch_body import BatchBody
from nightmail.providers.openrouter.batches import base_of

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT
from tests.unit.native.cases import (
    TAG,
    Told,
    a_line_id,
    as_jsonl,
    intent,
    numbers_of,
)
from tests.unit.native.openrouter_samples import OPENROUTER, in_batch
from tests.unit.native.script import Torn
from tests.unit.spoiled_json import JSON
from tests.unit.world import World, requests

STOPPING = 3 * 3600
MEBIBYTE = 1024 * 1024


def good(number: int) -> dict[str, Any]:
    return OPENROUTER.answered(a_line_id(number), OPENROUTER.direct.plain)


def served(content: bytes | Iterator[bytes] | Torn) -> httpx.Response:
    if isinstance(content, Torn):
        return httpx.Response(200, stream=content)
    return httpx.Response(200, content=content)


# ---- The body


def cut(content: bytes, size: int) -> tuple[list[Any], Any]:
    """The results in a body that comes in pieces of `size`, and the rest of it."""
    body = BatchBody()
    lines = b"".join(
        body.feed(content[place : place + size]) for place in range(0, len(content), size)
    )
    return [json.loads(line) for line in lines.split(b"\n") if line.strip()], json.loads(
        bytes(body.rest)
    )


@given(
    results=st.lists(JSON), other=JSON, size=st.integers(1, 40), indent=st.sampled_from([None, 1])
)
def test_results_are_told_apart_from_their_batch_wherever_it_is_cut(
    results: list[Any], other: Any, size: int, indent: int | None
) -> None:
    batch = {"a": 'x"results": [', "other": [other], "results": results, "status": {"results": [1]}}
    for ascii_only in (True, False):
        content = json.dumps(batch, indent=indent, ensure_ascii=ascii_only)
        found, rest = cut(content.encode("utf-8", "surrogatepass"), size)
        # As texts: NaN is not itself.
        assert json.dumps(found) == json.dumps(results)
        assert json.dumps(rest) == json.dumps({**batch, "results": [0] if results else []})


@pytest.mark.parametrize("results", [None, 5, "results", {"results": [1]}])
def test_a_batch_without_a_list_of_results_is_whole(results: object) -> None:
    batch = {"results": results, "status": "completed"}
    assert cut(json.dumps(batch).encode(), 3) == ([], batch)


# ---- Submitting


@pytest.mark.parametrize(
    ("api_base", "url"),
    [
        (None, "https://openrouter.ai/api/beta"),
        ("https://proxy.example/v1", "https://proxy.example/beta"),
        ("https://proxy.example/api/beta", "https://proxy.example/api/beta"),
    ],
)
def test_batches_are_beside_the_server_of_the_models(api_base: str | None, url: str) -> None:
    assert base_of(OPENROUTER.deployment(api_base=api_base)) == url


def test_what_is_true_of_all_requests_comes_before_them() -> None:
    provider, script = OPENROUTER.scripted(httpx.Response(202, json={"id": "batch-1"}))
    assert provider.submit("", OPENROUTER.shard_input(2), "/v1/embeddings", TAG) == "batch-1"
    body = json.loads(script.requests[0].content)
    assert list(body) == ["endpoint", "model", "requests"]
    assert (body["endpoint"], body["model"]) == ("/v1/embeddings", OPENROUTER.deployment().model)
    assert [request["custom_id"] for request in body["requests"]] == [a_line_id(1), a_line_id(2)]


def test_a_batch_whose_requests_were_not_counted_yet_may_be_ours() -> None:
    young = OPENROUTER.batch(Told(identity="young"))
    provider, _ = OPENROUTER.scripted(httpx.Response(200, json={"data": [young]}))
    assert provider.find(intent()) == ["young"]


def test_nothing_is_asked_to_stop() -> None:
    provider, script = OPENROUTER.scripted()
    provider.cancel("batch-1")
    assert script.requests == []


# ---- Looking


def test_a_batch_that_failed_says_why() -> None:
    failed = OPENROUTER.batch(Told(ending=Ending.FAILED, has_results=False))
    told = {**failed, "error": {"message": "requests[3] has no messages."}}
    provider, _ = OPENROUTER.scripted(httpx.Response(200, json=told))
    progress = provider.poll("batch-1")
    assert (progress.phase, progress.ending) == (Phase.ENDED, Ending.FAILED)
    assert [error.message for error in progress.errors] == ["requests[3] has no messages."]


def test_a_look_at_a_batch_that_is_cut_off_tells_nothing() -> None:
    whole = in_batch(as_jsonl([good(1)]))
    provider, _ = OPENROUTER.scripted(served(whole[:-30]))
    with pytest.raises(ProviderGarbled):
        provider.poll("batch-1")


def test_neither_a_look_nor_the_results_hold_all_that_comes() -> None:
    line = as_jsonl([{**good(1), "id": "x" * MEBIBYTE}]).strip()
    times = 64

    def whole() -> Iterator[bytes]:
        yield b'{"id":"batch-1","results":[' + line
        yield from (b"," + line for _ in range(times))
        yield b'],"status":"completed"}'

    provider, _ = OPENROUTER.scripted(served(whole()), served(whole()))
    tracemalloc.start()
    try:
        assert provider.poll("batch-1").output_ids == ["batch-1"]
        results = provider.results(["batch-1"], "public", Cursor(), lambda _: 1)
        assert sum(1 for _ in results) == times + 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 * MEBIBYTE


class Watched(httpx.SyncByteStream):
    """A body of pieces, that counts those that were read."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.read_so_far = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.read_so_far += 1
            yield piece


@pytest.mark.parametrize(("comes_behind", "pieces_read"), [((), 1), (("status",), 4)])
def test_a_look_reads_no_results_unless_something_comes_behind(
    comes_behind: tuple[str, ...], pieces_read: int
) -> None:
    batch = OPENROUTER.batch(Told(ending=Ending.COMPLETED, completed=2, failed=1))
    del batch["results"]
    behind = {name: batch.pop(name) for name in comes_behind}
    results, line = b',"results":[', as_jsonl([good(1)]).strip()
    body = Watched(
        [
            json.dumps(batch).encode()[:-1] + results + line[:9],
            line[9:] + b"," + line,
            b"," + line + b"]",
            (json.dumps(behind).replace("{", ",", 1) if behind else "}").encode(),
        ]
    )
    provider, _ = OPENROUTER.scripted(httpx.Response(200, stream=body))
    progress = provider.poll("batch-1")
    assert (progress.ending, progress.completed, progress.failed) == (Ending.COMPLETED, 2, 1)
    assert progress.output_ids == ["batch-1"]
    assert body.read_so_far == pieces_read


# ---- Results


def test_results_are_read_on_by_their_own_places_and_no_range_is_asked_for() -> None:
    content = in_batch(as_jsonl([good(number) for number in (1, 2, 3)]))
    provider, script = OPENROUTER.scripted(*(served(content) for _ in range(4)))
    whole = OPENROUTER.read(provider)
    for read_before, result in enumerate(whole, 1):
        rest = OPENROUTER.read(provider, result.behind)
        assert numbers_of(rest) == numbers_of(whole)[read_before:]
    assert not any("range" in request.headers for request in script.requests)


def test_what_came_before_the_connection_broke_is_kept() -> None:
    content = in_batch(as_jsonl([good(1), good(2)]))
    provider, _ = OPENROUTER.scripted(served(Torn(content[:-40])), served(content))
    found = provider.results(["batch-1"], "public", Cursor(), lambda _: 1)
    first = next(found)
    with pytest.raises(ProviderUnavailable):
        next(found)
    (second,) = OPENROUTER.read(provider, first.behind)
    assert second.outcome
    assert second.outcome.number == 2


def test_half_a_result_at_the_end_is_garbage() -> None:
    content = in_batch(as_jsonl([good(1), good(2)]))
    assert numbers_of(OPENROUTER.read(OPENROUTER.scripted(served(content[:-40]))[0])) == [1, None]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("provider_unavailable", 502), ("content_policy_violation", 403), ("timeout", 504)],
)
def test_an_error_of_a_known_type_is_a_refusal_with_its_status(kind: str, status: int) -> None:
    error = {"message": "No.", "param": None, "type": "api_error", "error_type": kind}
    entry = {"id": "1", "custom_id": a_line_id(7), "response": None, "error": error}
    (result,) = OPENROUTER.read(OPENROUTER.serving(as_jsonl([entry])))
    assert result.outcome
    assert result.outcome.kind is Kind.REFUSED
    assert result.outcome.response
    assert result.outcome.response["status_code"] == status
    told = result.outcome.response["body"]["error"]
    assert (told["message"], told["code"]) == ("No.", kind)


def test_an_error_of_another_type_is_told_by_its_type() -> None:
    error = {"message": "Odd.", "param": None, "type": "odd_error"}
    entry = {"id": "1", "custom_id": a_line_id(7), "response": None, "error": error}
    (result,) = OPENROUTER.read(OPENROUTER.serving(as_jsonl([entry])))
    assert result.outcome
    assert (result.outcome.kind, result.outcome.error) == (
        Kind.FAILED,
        {"code": "odd_error", "message": "Odd."},
    )


# ---- Whole lives: what was submitted is paid, so that its results are waited for


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    return World(simulator, provider="openrouter")


def test_a_cancelled_batch_waits_for_what_is_paid_anyway(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2, "name": "held"})
    world.create(requests(5))
    world.step("PlanBatch")
    world.step("SubmitShard", 1)
    world.cancel()
    assert world.step("PollShard", 1)["next"] == Next.POLL
    (batch,) = world.provider_batches()
    assert batch["status"] == "in_progress"
    world.simulator.release("held")
    world.simulator.until_final(batch["id"])
    for state in ("PollShard", "CollectShard", "FinalizeBatch"):
        world.step(state, None if state == "FinalizeBatch" else 1)
    assert world.batch.status == "cancelled"
    assert len(world.check_promises(requests(5)).output) == 5


def test_a_cancelled_batch_does_not_wait_for_ever(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch"})
    world.cancel_at = "WaitToPoll"
    world.create(requests(3))
    world.run()
    assert world.batch.status == "cancelled"
    assert world.now - (world.batch.cancelling_at or 0) >= STOPPING
    assert world.check_promises(requests(3)).error_codes == ["batch_cancelled"] * 3


def test_what_cannot_be_stopped_is_not_called_directly_too(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    world.create(requests(5), on_deadline="finish_direct")
    world.run()
    assert world.batch.status == "expired"
    assert world.check_promises(requests(5), lost=2).error_codes == ["batch_expired"] * 5
    assert world.simulator.calls(provider="openrouter", path="/chat/completions") == []


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "messages"),
        ({"modalities": ["text", "image"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ],
)
def test_what_fails_a_whole_batch_is_not_put_into_one(more: dict[str, Any], param: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hi."}], **more}
    with pytest.raises(NotInBatches) as caught:
        OPENROUTER.sent(body)
    assert caught.value.param == param


def test_texts_in_parts_are_put_into_a_batch() -> None:
    parts = [{"type": "text", "text": "Hi."}, {"type": "text", "text": "You."}]
    body = {"messages": [{"role": "user", "content": parts}], "modalities": ["text"]}
    assert OPENROUTER.sent(body)["body"]["messages"] == body["messages"]


def test_a_line_with_an_image_is_called_beside_the_batch(world: World) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    lines = requests(3)
    lines[1]["body"]["messages"] = [{"role": "user", "content": [image]}]
    world.create(lines)
    world.run()
    assert len(world.check_promises(lines).output) == 3
    assert len(world.simulator.calls(provider="openrouter", path="/chat/completions")) == 1


def test_only_what_batches_have_goes_natively() -> None:
    assert OPENROUTER.format().endpoints == {CHAT, "/v1/embeddings", "/v1/responses"}
