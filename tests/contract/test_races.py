"""A race: the first good answer is given while the others are held, and they are hung up on at once.

Who wins is a matter of releases, not of clocks: nobody answers before all have come.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any, TypeVar

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from local.simulator.client import SimulatorClient
from tests.simulated import events_of
from tests.template import Json

SLOW, FAST, BAD = "gpt-4o", "claude-haiku-4-5", "command-a-03-2025"
ORDERS = [", ".join(order) for order in permutations((SLOW, FAST, BAD))]
FASTEST = {"fastest_response": True}
PROMPT: Any = [{"role": "user", "content": "Who is first?"}]

Answer = TypeVar("Answer")


def hold(model: str, when: str = "before") -> Json:
    return {"kind": "hold", "name": model, "when": when, "match": {"model": model}}


def refuse(model: str) -> Json:
    return {"kind": "status", "status": 400, "match": {"model": model}}


def all_come_and_one_goes_on(ask: Callable[[], Answer], simulator: SimulatorClient) -> Answer:
    """What is answered when SLOW is held, BAD has failed, and FAST is released only then."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        simulator.until_waiting(SLOW)
        simulator.until_waiting(FAST)
        simulator.until_logged(model=BAD, finished="true")
        simulator.release(FAST)
        return asked.result()


def assert_hung_up_on_while_held(simulator: SimulatorClient) -> None:
    (loser,) = simulator.until_calls("disconnected", model=SLOW)
    simulator.release()
    (release,) = (
        each for each in simulator.events() if each["event"] == "release" and not each["name"]
    )
    assert loser["events"]["held"] < loser["events"]["disconnected"] < release["place"]
    assert "released" not in loser["events"]


def outcomes(headers: Any) -> dict[str, str]:
    return {line["model"]: line["outcome"] for line in json.loads(headers["x-nightmail-race"])}


@pytest.mark.of("anthropic", "cohere")
@pytest.mark.parametrize("models", ORDERS)
def test_the_winner_is_answered_while_the_loser_is_held_whatever_the_order(
    client: openai.OpenAI, simulator: SimulatorClient, models: str
) -> None:
    simulator.behave(hold(SLOW), hold(FAST), refuse(BAD))

    raw = all_come_and_one_goes_on(
        lambda: client.chat.completions.with_raw_response.create(
            model=models, messages=PROMPT, extra_body=FASTEST
        ),
        simulator,
    )

    assert raw.parse().model == FAST
    assert raw.headers["x-nightmail-winner"] == FAST
    assert list(outcomes(raw.headers)) == models.split(", ")
    assert outcomes(raw.headers) == {SLOW: "cancelled", FAST: "won", BAD: "failed"}
    assert_hung_up_on_while_held(simulator)


@pytest.mark.of("anthropic", "cohere")
@pytest.mark.parametrize("models", ORDERS)
def test_the_first_token_wins_and_not_the_first_open_stream_whatever_the_order(
    client: openai.OpenAI, simulator: SimulatorClient, models: str
) -> None:
    simulator.behave(hold(SLOW, "first_token"), hold(FAST), refuse(BAD))

    raw = all_come_and_one_goes_on(
        lambda: client.chat.completions.with_raw_response.create(
            model=models, messages=PROMPT, stream=True, extra_body=FASTEST
        ),
        simulator,
    )

    chunks: list[ChatCompletionChunk] = list(raw.parse())
    assert {chunk.model for chunk in chunks} == {FAST}
    assert any(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
    assert raw.headers["x-nightmail-winner"] == FAST
    assert outcomes(raw.headers) == {SLOW: "cancelled", FAST: "won", BAD: "failed"}
    (loser,) = simulator.until_calls("began", model=SLOW)
    (winner,) = simulator.until_calls("token", model=FAST)
    assert loser["events"]["began"] < winner["events"]["began"]
    assert "token" not in loser["events"]
    assert_hung_up_on_while_held(simulator)


@pytest.mark.of("anthropic", "cohere")
@pytest.mark.parametrize("stream", [False, True])
def test_a_race_has_an_endpoint_of_its_own(
    http: httpx.Client, simulator: SimulatorClient, *, stream: bool
) -> None:
    simulator.behave(hold(SLOW, "first_token"), hold(FAST), refuse(BAD))
    body = {"models": [BAD, SLOW, FAST], "messages": PROMPT, "stream": stream}

    answer = all_come_and_one_goes_on(
        lambda: http.post("/batch_completion_models", json=body, timeout=60), simulator
    )

    told = events_of(answer.text) if stream else [answer.json()]
    assert {each["model"] for each in told} == {FAST}
    assert answer.headers["x-nightmail-winner"] == FAST
    assert outcomes(answer.headers) == {BAD: "failed", SLOW: "cancelled", FAST: "won"}
    assert_hung_up_on_while_held(simulator)


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ["empty", "filter"])
def test_an_answer_without_content_does_not_win_while_another_may(
    client: openai.OpenAI, simulator: SimulatorClient, how: str, *, stream: bool
) -> None:
    nothing = {"kind": "withheld", "how": how, "match": {"model": FAST}}
    simulator.behave(hold(SLOW), nothing)

    def ask() -> Any:
        return client.chat.completions.with_raw_response.create(
            model=f"{FAST}, {SLOW}", messages=PROMPT, stream=stream, extra_body=FASTEST
        )

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        simulator.until_waiting(SLOW)
        simulator.until_logged(model=FAST, finished="true")
        simulator.release(SLOW)
        raw = asked.result()

    assert raw.headers["x-nightmail-winner"] == SLOW
    assert outcomes(raw.headers) == {FAST: "failed", SLOW: "won"}
