"""The provider simulator: what it bills, how often it fails, and how much it takes at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json, Provider, chat, line
from tests.simulated_messages import MessageBatches, request
from tests.simulated_providers import anthropic_client, ask, ask_anthropic, message

TEXT = "two words [[cached:100:20]] [[think:5]]"
LINES = [line(number) for number in range(1, 9)]


@pytest.fixture
def batches(simulator: SimulatorClient) -> Iterator[MessageBatches]:
    with anthropic_client(simulator) as http:
        yield MessageBatches(simulator, http)


def row(provider: str, model: str, lane: str, answers: int, *tokens: int) -> Json:
    names = ("input", "cached", "cache_write", "output", "reasoning")
    counted = dict(zip(names, tokens, strict=True))
    return {"provider": provider, "model": model, "lane": lane, "answers": answers, **counted}


def test_openai_bills_what_its_usage_says_on_both_lanes(provider: Provider) -> None:
    body = chat(TEXT)
    batch = provider.finish([line(1, body), line(2, body)])
    (one, _) = provider.results(batch["output_file_id"])
    provider.ask(body).raise_for_status()
    read, wrote = (
        one["response"]["body"]["usage"][f"{of}_tokens"] for of in ("prompt", "completion")
    )

    assert read == 4 + 120
    assert batch["usage"]["input_tokens"] == 2 * read
    assert batch["usage"]["input_tokens_details"] == {"cached_tokens": 200}
    assert batch["usage"]["output_tokens_details"] == {"reasoning_tokens": 10}
    assert provider.simulator.billed() == [
        row("openai", "gpt-5-mini", "batch", 2, 2 * read, 200, 0, 2 * wrote, 10),
        row("openai", "gpt-5-mini", "call", 1, read, 100, 0, wrote, 5),
    ]


def test_anthropic_bills_its_cache_beside_the_other_input(batches: MessageBatches) -> None:
    params = message(TEXT)
    result = batches.results(batches.finish([request(1, params)]))["r1"]
    ask_anthropic(batches.http, TEXT).raise_for_status()
    usage = result["message"]["usage"]
    tokens = (4 + 120, 100, 20, usage["output_tokens"], 5)

    assert usage["service_tier"] == "batch"
    assert batches.simulator.billed() == [
        row("anthropic", "claude-haiku-4-5", lane, 1, *tokens) for lane in ("batch", "call")
    ]


def test_cohere_bills_its_units(provider: Provider) -> None:
    units = ask(provider, "cohere", "two words").raise_for_status().json()["usage"]["billed_units"]

    (billed,) = provider.simulator.billed()
    tokens = units["input_tokens"], 0, 0, units["output_tokens"], 0
    assert billed == row("cohere", "m", "call", 1, *tokens)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embeddings", {"model": "m", "input": "two words"}),
        ("/completions", {"model": "m", "prompt": "two words"}),
        ("/responses", {"model": "m", "input": "two words"}),
        ("/moderations", {"model": "m", "input": "two words"}),
    ],
)
def test_other_endpoints_are_billed_too(provider: Provider, path: str, body: Json) -> None:
    usage = provider.http.post(path, json=body).raise_for_status().json().get("usage", {})

    (billed,) = provider.simulator.billed()
    assert billed["input"] + billed["output"] == usage.get("total_tokens", 0)
    assert billed["answers"] == 1


def test_failures_and_refusals_are_not_billed(provider: Provider, batches: MessageBatches) -> None:
    provider.finish([line(1, chat("[[fail:500]]"))])
    provider.ask(chat("[[fail:500]]"))
    provider.ask({"model": "m"})
    batches.finish([request(1, message("[[fail:500]]")), request(2, {})])

    assert provider.simulator.billed() == []


def test_the_bill_can_be_that_of_one_key(provider: Provider) -> None:
    provider.ask(chat("Hi"))
    headers = {"authorization": "Bearer sk-other-1234"}
    for _ in range(2):
        provider.http.post("/chat/completions", json=chat("Hi"), headers=headers)

    answers = [provider.simulator.billed(key)[0]["answers"] for key in ("", "1234", "abcd")]
    assert answers == [3, 2, 1]
    assert provider.simulator.billed("nobody") == []


def test_a_reset_forgets_what_was_billed_and_what_has_failed(provider: Provider) -> None:
    asked = chat("[[fail:500:1]]")
    statuses = [provider.ask(asked).status_code for _ in range(2)]
    provider.simulator.reset()

    assert statuses == [500, 200]
    assert provider.simulator.billed() == []
    assert provider.ask(asked).status_code == 500


def test_a_failure_is_counted_over_providers_and_lanes(
    provider: Provider, batches: MessageBatches
) -> None:
    text = "Once more. [[fail:503:3]]"
    native = provider.finish([line(1, chat(text))])
    direct = provider.ask(chat(text, temperature=0.5))
    other = batches.results(batches.finish([request(1, message(text))]))["r1"]
    at_last = [provider.ask(chat(text)), ask_anthropic(batches.http, text)]

    assert native["request_counts"]["failed"] == 1
    assert (direct.status_code, other["type"]) == (503, "errored")
    assert [answer.status_code for answer in at_last] == [200, 200]
    assert ask_anthropic(batches.http, text, system="Else.").status_code == 503


def test_a_full_queue_fails_batches_until_others_have_ended(provider: Provider) -> None:
    provider.simulator.behave(
        {"kind": "stuck_batch", "times": 1}, {"kind": "queue_limit", "lines": 10}
    )
    stuck = provider.submit(LINES)
    provider.simulator.until_waiting()
    refused = provider.finish(LINES)
    small = provider.finish(LINES[:2])
    provider.simulator.release()
    provider.end(stuck)

    assert refused["status"] == "failed"
    assert [error["code"] for error in refused["errors"]["data"]] == ["token_limit_exceeded"]
    assert small["status"] == "completed"
    assert provider.finish(LINES)["status"] == "completed"


def test_a_queue_is_that_of_the_batches_which_its_fault_meets(provider: Provider) -> None:
    other = [line(number, chat(f"{number}") | {"model": "gpt-5"}) for number in range(1, 9)]
    provider.simulator.behave(
        {"kind": "stuck_batch", "times": 1},
        {"kind": "queue_limit", "lines": 8, "match": {"model": "gpt-5-mini"}},
        {"kind": "queue_limit", "lines": 8, "match": {"model": "gpt-5"}},
    )
    provider.submit(LINES)
    provider.simulator.until_waiting()

    assert provider.finish(other)["status"] == "completed"
    assert provider.finish(LINES)["status"] == "failed"
