"""Many prompts to one model over HTTPS: each has its answer or its error, in its place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import events_of
from tests.template import Json

MODELS = ["gpt-4o-mini", "claude-haiku-4-5", "command-a-03-2025", "groq/llama-3.3-70b-versatile"]
ROUTE = "/batch_completion"


def said(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]


def content(item: Json) -> Any:
    return item["choices"][0]["message"]["content"]


@pytest.mark.of("anthropic", "cohere", "groq")
@pytest.mark.parametrize("model", MODELS)
def test_answers_and_errors_stand_in_the_order_of_the_prompts(
    http: httpx.Client, simulator: SimulatorClient, model: str
) -> None:
    prompts = [
        said("One?"),
        {"messages": said("[[fail:400]]"), "custom_id": "mine"},
        {"messages": said("Three?"), "max_tokens": 7},
        said("[[fail:400]]"),
    ]

    listed = http.post(ROUTE, json={"model": model, "messages": prompts, "max_tokens": 50}).json()

    first, wrong, third, wrong_too = listed["data"]
    assert listed["object"] == "list"
    ids = [each["custom_id"] for each in listed["data"]]
    assert ids == ["request-1", "mine", "request-3", "request-4"]
    assert first["model"] == third["model"] == model
    assert content(first) != content(third)
    assert first["choices"][0]["finish_reason"] == "stop"
    assert third["choices"][0]["finish_reason"] == "length"
    for failed in (wrong, wrong_too):
        assert set(failed) == {"error", "custom_id"}
        assert set(failed["error"]) >= {"message", "type", "param", "code"}
    for tokens in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert listed["usage"][tokens] == first["usage"][tokens] + third["usage"][tokens]
    assert len(simulator.calls()) == len(prompts)


@pytest.mark.of("anthropic", "cohere", "groq")
def test_a_stream_tells_of_each_prompt_when_it_has_finished(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "hold", "name": "first", "match": {"text": "One?"}})
    prompts = [said("One?"), said("Two?"), said("[[fail:400]]")]
    body = {"model": MODELS[0], "messages": prompts, "stream": True}

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(http.post, ROUTE, json=body)
        simulator.until_waiting("first")
        simulator.until_logged(status="200", finished="true")
        simulator.until_logged(status="400", finished="true")
        simulator.release("first")
        answer = asked.result()

    assert answer.headers["content-type"].startswith("text/event-stream")
    *earlier, last = events_of(answer.text)
    assert sorted(each["index"] for each in earlier) == [1, 2]
    assert (last["index"], last["custom_id"]) == (0, "request-1")
    assert content(last)
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.of("anthropic", "cohere", "groq")
def test_no_more_calls_are_in_flight_than_wanted(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    body = {
        "model": MODELS[0],
        "messages": [said(f"Question {number}") for number in range(30)],
        "max_concurrency": 3,
    }

    listed = http.post(ROUTE, json=body).json()

    assert len({content(each) for each in listed["data"]}) == 30
    assert simulator.totals("openai", MODELS[0])["peak"] <= 3


@pytest.mark.of("anthropic", "cohere", "groq")
def test_a_batch_is_answered_to_a_stream_too_when_it_is_for_later(http: httpx.Client) -> None:
    body = {"model": MODELS[0], "messages": [said("One?")], "stream": True}

    answer = http.post(ROUTE, json=body, headers={"prefer": "respond-async"})

    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert (answer.json()["object"], answer.json()["status"]) == ("batch", "validating")
