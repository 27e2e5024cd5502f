"""Batches straight at Anthropic, by the functions that others are made by."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nightmail
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail import (
    batch_completion_create,
    batch_completion_list,
    batch_completion_results,
    batch_completion_retrieve,
    batch_completion_wait,
    cancel_batch,
    completion,
    create_batch,
    create_file,
    list_batches,
    retrieve_batch,
)
from nightmail.library.anthropic_ids import carried_in, carrying
from nightmail.library.anthropic_requests import converted
from nightmail.library.exceptions import BadRequestError
from nightmail.library.sources import written
from nightmail.providers.anthropic.batch_format import AnthropicFormat
from nightmail.providers.base import Limits

from local.simulator.client import SimulatorClient
from tests.simulated import KEY
from tests.simulated_providers import anthropic_client, message

MODEL = "claude-haiku-4-5"
ANTHROPIC: dict[str, Any] = {"custom_llm_provider": "anthropic"}


def request(text: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"body": {"model": MODEL, "max_tokens": 100, "messages": messages, **more}}


def requests(count: int) -> list[dict[str, Any]]:
    return [request(f"Number {n}") for n in range(1, count + 1)]


def said(outcome: nightmail.Outcome) -> str:
    assert outcome.response
    text: str = outcome.response.body.choices[0].message.content
    return text


# ---- a life


def test_a_batch_is_made_of_requests_and_its_results_are_in_their_order(
    provider_keys: SimulatorClient,
) -> None:
    asked = requests(30)
    asked[7] = request("[[fail:400]]")

    batch = batch_completion_create(requests=asked)
    done = batch_completion_wait(batch.id)
    outcomes = list(batch_completion_results(batch.id))

    assert (batch.object, batch.endpoint, batch.status) == (
        "batch",
        "/v1/chat/completions",
        "in_progress",
    )
    assert (done.status, done.input_file_id, done.metadata) == ("completed", None, None)
    assert done.request_counts == {"total": 30, "completed": 29, "failed": 1}
    assert done.completed_at
    assert done.expires_at == done.created_at + 24 * 3600
    assert [one.custom_id for one in outcomes] == [f"request-{n}" for n in range(1, 31)]
    assert [place for place, one in enumerate(outcomes) if one.error] == [7]
    assert all(f"Number {n}" in said(outcomes[n - 1]) for n in (1, 2, 30))
    refused = outcomes[7]
    assert refused.response
    assert refused.error
    assert refused.response.status_code == 400
    assert refused.error.type == "invalid_request_error"


def test_a_file_of_openais_form_is_sent_as_the_direct_calls_are(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    body: dict[str, Any] = {
        "model": f"anthropic/{MODEL}",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
        ],
        "max_tokens": 2000,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "reasoning_effort": "low",
    }
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    path = tmp_path / "batch.jsonl"
    path.write_text(f"\n{json.dumps(line)}\n\n")

    batch = batch_completion_create(path, **ANTHROPIC)
    (outcome,) = batch_completion_results(batch_completion_wait(batch.id).id)
    answer = completion(**body)

    assert outcome.custom_id == "a"
    assert said(outcome) == answer.choices[0].message.content  # it has the digest of the request


def test_batches_are_listed_and_cancelled(provider_keys: SimulatorClient, tmp_path: Path) -> None:
    provider_keys.behave({"kind": "stuck_batch", "after_lines": 1})
    made = [batch_completion_create(requests=requests(3)).id for _ in range(2)]

    page = list_batches(limit=1, **ANTHROPIC)
    assert ([one.id for one in page.data], page.has_more) == ([made[1]], True)
    rest = batch_completion_list(after=page.last_id, **ANTHROPIC)
    assert [one.id for one in rest.data] == [made[0]]

    provider_keys.until_waiting()
    with pytest.raises(nightmail.BadRequestError, match="batch_completion_wait"):
        next(batch_completion_results(made[0]))
    assert cancel_batch(made[0]).status == "cancelling"
    provider_keys.release()
    provider_keys.until_final(made[0])
    path = tmp_path / "results.jsonl"
    cancelled = batch_completion_retrieve(made[0], output_file_path=path)

    assert cancelled.status == "cancelled"
    assert cancelled.cancelled_at
    outcomes = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["custom_id"] for one in outcomes] == ["request-1", "request-2", "request-3"]
    assert [one["error"]["code"] for one in outcomes if "error" in one] == ["batch_cancelled"] * 2


def test_what_expired_says_so(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "expired_batch", "after_lines": 2})
    batch = batch_completion_wait(batch_completion_create(requests=requests(3)).id)

    errors = [one.error.code for one in batch_completion_results(batch.id) if one.error]

    assert batch.status == "expired"
    assert batch.request_counts.failed == 1
    assert errors == ["batch_expired"]


def test_an_ended_batch_without_its_results_yet(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "late_output", "polls": 3})
    made = batch_completion_create(requests=requests(1))
    provider_keys.until_final(made.id)

    assert batch_completion_retrieve(made.id).cost is None
    with pytest.raises(nightmail.APIError, match="not there yet"):
        list(batch_completion_results(made.id))
    assert retrieve_batch(made.id).output_file_id is None
    assert len(list(batch_completion_results(made.id))) == 1


def test_everything_can_be_awaited(provider_keys: SimulatorClient) -> None:
    async def work() -> list[str]:
        made = await nightmail.abatch_completion_create(requests=requests(2), **ANTHROPIC)
        batch = await nightmail.abatch_completion_wait(made.id)
        return [one.custom_id async for one in nightmail.abatch_completion_results(batch.id)]

    assert asyncio.run(work()) == ["request-1", "request-2"]


def test_a_batch_whose_answer_was_lost_is_not_made_twice(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "drop", "when": "after", "match": {"method": "POST"}})

    with pytest.raises(nightmail.APIConnectionError):
        batch_completion_create(requests=requests(1))

    assert len(provider_keys.batches()) == 1


def test_a_batch_that_was_not_taken_is_sent_again_whole(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "status", "status": 429, "times": 1, "match": {"method": "POST"}})

    batch = batch_completion_wait(batch_completion_create(requests=requests(50)).id)

    assert batch.request_counts.completed == 50


# ---- what was sent is found in what comes back


@pytest.mark.parametrize(
    "custom_ids",
    [
        ["a", "b-f", "-", "_", "nm-a-1", "Übergröße/7", "a b", "9" * 52, "ü" * 19, "\n", "漢字 🙂"],
        ["same", "same"],
    ],
)
def test_a_custom_id_of_any_shape_comes_back(
    provider_keys: SimulatorClient, custom_ids: list[str]
) -> None:
    asked = [{**request(f"Say {n}"), "custom_id": name} for n, name in enumerate(custom_ids)]

    batch = batch_completion_create(requests=asked)
    outcomes = list(batch_completion_results(batch_completion_wait(batch.id).id))

    assert [one.custom_id for one in outcomes] == custom_ids
    assert all(f"Say {n}" in said(one) for n, one in enumerate(outcomes))


@given(st.integers(1, 100_000), st.text(), st.sampled_from(["", "-f"]))
def test_an_id_holds_any_custom_id_that_is_not_too_long(
    number: int, custom_id: str, suffix: str
) -> None:
    try:
        identity = carrying(number, custom_id) + suffix
    except (BadRequestError, UnicodeEncodeError):
        assert len(custom_id.encode(errors="replace")) > 39 or not custom_id.isascii()
        return
    assert len(identity) <= 64
    assert set(identity) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert carried_in(identity) == (number, custom_id)


@given(st.text())
def test_any_id_can_be_read(identity: str) -> None:
    number, custom_id = carried_in(identity)

    assert number >= 0
    assert isinstance(custom_id, str)


def test_the_function_call_of_old_comes_back(provider_keys: SimulatorClient) -> None:
    functions = [{"name": "f", "parameters": {"type": "object", "properties": {}}}]
    asked = [{**request("[[tool]]", functions=functions), "custom_id": name} for name in "ab"]
    batch = batch_completion_create(requests=[*asked, request("[[empty]]")])

    first, second, _ = batch_completion_results(batch_completion_wait(batch.id).id)

    assert (first.custom_id, second.custom_id) == ("a", "b")
    assert first.response
    assert first.response.body.choices[0].message.function_call.name == "f"


def test_a_batch_that_somebody_else_has_made_is_read_too(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    asked = [{"custom_id": f"theirs-{n}", "params": message(f"Say {n}")} for n in range(3)]
    with anthropic_client(provider_keys) as http:
        made = http.post("/v1/messages/batches", json={"requests": asked}).json()

    outcomes = list(batch_completion_results(batch_completion_wait(made["id"]).id))

    assert sorted(one.custom_id for one in outcomes) == ["theirs-0", "theirs-1", "theirs-2"]
    assert all(f"Say {one.custom_id[-1]}" in said(one) for one in outcomes)


@pytest.mark.parametrize("kind", ["garbage", "duplicated", "missing", "truncated", "unknown_ids"])
def test_results_that_are_spoiled_are_read_as_far_as_they_go(
    provider_keys: SimulatorClient, kind: str
) -> None:
    provider_keys.behave({"kind": kind})
    batch = batch_completion_wait(batch_completion_create(requests=requests(6)).id)

    outcomes = list(batch_completion_results(batch.id))

    ours = [one for one in outcomes if one.custom_id.startswith("request-")]
    assert [int(one.custom_id[8:]) for one in ours] == sorted(
        int(one.custom_id[8:]) for one in ours
    )
    assert all(f"Number {one.custom_id[8:]}" in said(one) for one in ours)
    assert len(ours) >= 3


# ---- cost


def test_a_batch_costs_half_of_what_its_requests_would_have(provider_keys: SimulatorClient) -> None:
    """Claude Haiku 4.5: 1 $ for a million tokens of input, 0.10 $ read from a cache, 1.25 $ written, 5 $ of
    output; a batch is half of all that.
    """
    asked = [request("[[cached:1000:400]] Once more"), request("[[fail:500]]"), request("Hi")]
    batch = batch_completion_wait(batch_completion_create(requests=asked).id)

    outcomes = list(batch_completion_results(batch.id))
    tokens = [one.response.body.usage for one in outcomes if one.response and not one.error]
    fresh = sum(one.prompt_tokens for one in tokens) - 1400
    output = sum(one.completion_tokens for one in tokens)
    whole = (fresh + 0.1 * 1000 + 1.25 * 400 + 5 * output) / 1e6
    assert retrieve_batch(batch.id).cost is None  # it would have to read the results
    assert batch_completion_retrieve(batch.id).cost == batch.cost
    assert batch.synchronous_cost == pytest.approx(whole)
    assert batch.cost == pytest.approx(whole / 2)
    assert batch.saved == pytest.approx(whole / 2)
    assert batch.nightmail
    assert batch.nightmail.usage
    assert [(bill.lines, bill.cached_tokens) for bill in batch.nightmail.usage] == [(2, 1000)]
    assert batch.usage
    assert (batch.usage.input_tokens, batch.usage.output_tokens) == (fresh + 1400, output)


def test_models_of_one_batch_are_billed_apart(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    asked = [request("One"), request("Two", model="claude-unheard-of")]
    made = batch_completion_wait(batch_completion_create(requests=asked).id)

    batch = batch_completion_retrieve(made.id, tmp_path / "results.jsonl")

    assert batch.nightmail
    assert batch.nightmail.usage
    known, unknown = batch.nightmail.usage
    assert known.cost
    assert unknown.cost is None
    assert batch.cost is None
    assert batch.nightmail.unpriced_models == [unknown.model]


# ---- size


def test_a_body_is_never_in_memory_as_a_whole() -> None:
    """What the process holds is a line or two."""
    text, count = "x" * 20_000, 1000

    def one_by_one() -> Iterator[dict[str, Any]]:
        for _ in range(count):
            yield request(text)

    with written(one_by_one(), "/v1/chat/completions") as source:
        tracemalloc.start()
        try:
            with converted(source, drop_params=False) as body:
                _, peak = tracemalloc.get_traced_memory()
                size = body.size
        finally:
            tracemalloc.stop()

    assert size > count * len(text)
    assert peak < 2_000_000


def test_what_is_too_big_for_one_batch_is_refused(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limits in (Limits(lines=2, bytes=10_000), Limits(lines=10, bytes=300)):
        monkeypatch.setattr(AnthropicFormat, "limits", limits)
        with pytest.raises(nightmail.BadRequestError, match=r"up to .*gateway"):
            batch_completion_create(requests=requests(3))

    assert provider_keys.calls() == []


# ---- what is refused, before anything is sent


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: create_file(b"{}", **ANTHROPIC), "keeps no files"),
        (lambda: create_batch(input_file_id="file-1", **ANTHROPIC), "batch_completion_create"),
        (lambda: batch_completion_create(requests=[], **ANTHROPIC), "no requests"),
        (lambda: batch_completion_create(requests=requests(1), dry_run=True), "dry_run.*gateway"),
        (lambda: batch_completion_create(requests=requests(1), metadata={"a": "b"}), "metadata"),
        (
            lambda: batch_completion_create(requests=requests(1), completion_window="48h"),
            "completion_window.*24h",
        ),
        (
            lambda: batch_completion_create(
                requests=[{"body": {"model": "m", "input": "x"}}],
                endpoint="/v1/embeddings",
                **ANTHROPIC,
            ),
            "endpoint.*gateway",
        ),
        (
            lambda: batch_completion_create(
                requests=[*requests(1), {"url": "/v1/embeddings", "body": {"model": "m"}}]
            ),
            "Line 2 is for /v1/embeddings.*gateway",
        ),
        (
            lambda: batch_completion_create(
                requests=[*requests(1), request("x", logit_bias={"1": 1})]
            ),
            "Line 2: .*logit_bias",
        ),
        (
            lambda: batch_completion_create(requests=[*requests(1), request("x", stream=True)]),
            "Line 2: Streaming",
        ),
        (
            lambda: batch_completion_create(requests=[{**request("x"), "custom_id": "é" * 20}]),
            "Line 1: the custom_id .* 39 bytes.*gateway",
        ),
    ],
)
def test_what_anthropic_does_not_take_is_refused_before_anything_is_sent(
    provider_keys: SimulatorClient, ask: Callable[[], object], told: str
) -> None:
    with pytest.raises(nightmail.BadRequestError, match=told):
        ask()

    assert provider_keys.calls() == []


def test_what_anthropic_has_not_is_left_out_where_that_is_wanted(
    provider_keys: SimulatorClient,
) -> None:
    asked = request("x", logit_bias={"1": 1})

    batch = batch_completion_create(requests=[asked], metadata={"a": "b"}, drop_params=True)

    (outcome,) = batch_completion_results(batch_completion_wait(batch.id).id)
    answer = completion(**asked["body"], drop_params=True)
    assert said(outcome) == answer.choices[0].message.content


def test_the_key_goes_to_anthropic_alone(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_BASE")

    with pytest.raises(nightmail.AuthenticationError, match="ANTHROPIC_API_KEY"):
        batch_completion_create(requests=requests(1))
    with pytest.raises(nightmail.AuthenticationError, match="ANTHROPIC_API_KEY"):
        retrieve_batch("msgbatch_1")

    assert provider_keys.calls() == []
