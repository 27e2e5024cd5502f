"""A provider's broken reply is an error of that item alone: with its name and status, and no internals."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from nightmail.providers.registry import has_direct_lane

from local.simulator.client import SimulatorClient
from tests.contract.calls import create_batch, look
from tests.contract.conftest import DIRECT
from tests.contract.life import Life
from tests.simulated import as_jsonl, events_of, line
from tests.template import Json

_MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "cohere": "command-a-03-2025",
    "groq": "groq/llama-3.3-70b-versatile",
    "azure": "azure/my-gpt",
    "bedrock": "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
    "gemini": "gemini/gemini-2.5-flash",
}
MODELS = {provider: model for provider, model in _MODELS.items() if has_direct_lane(provider)}
GOOD = "gpt-5-mini"
KEY = "sk-simulator"
PROMPT = [{"role": "user", "content": "Hi"}]
LEAK = f"Bearer {KEY} at http://10.1.2.3:8000/v1"
PAGE = f"<html><body>{LEAK}</body></html>"

# What the provider does, the status that it has then, and that of the answer.
FAULTS: dict[str, tuple[Json, int | None, int]] = {
    "no JSON": ({"kind": "status", "status": 200, "body": PAGE}, 200, 502),
    "half a JSON": (
        {"kind": "status", "status": 200, "body": '{"id": "1', "media_type": "application/json"},
        200,
        502,
    ),
    "JSON of another kind": (
        {"kind": "status", "status": 200, "body": "[1]", "media_type": "application/json"},
        200,
        502,
    ),
    "nothing": ({"kind": "status", "status": 200, "body": ""}, 200, 502),
    "an error in a 200": (
        {"kind": "status", "status": 200, "message": LEAK, "type": "api_error"},
        200,
        502,
    ),
    "a proxy's page": ({"kind": "status", "status": 503, "body": PAGE}, 503, 502),
    "a wrong key": ({"kind": "status", "status": 401, "message": LEAK}, 401, 502),
    "a refusal": ({"kind": "status", "status": 400, "message": LEAK}, 400, 400),
    "too many requests": ({"kind": "status", "status": 429, "message": LEAK}, 429, 429),
    "half an answer": ({"kind": "drop", "when": "during"}, None, 502),
    "no answer": ({"kind": "drop"}, None, 502),
}


def assert_no_internals(answer: httpx.Response, simulator: SimulatorClient) -> None:
    told = answer.text + json.dumps(dict(answer.headers))
    address = simulator.url.removeprefix("http://")
    for internal in (KEY, "10.1.2.3", address, "SIMULATOR", "Traceback", "aiohttp", "Error("):
        assert internal not in told


def assert_names(error: Json, provider: str, upstream: int | None) -> None:
    assert provider in error["message"]
    assert error["nightmail"]["provider"] == provider
    assert error["nightmail"]["status"] in ({upstream} if upstream else {None, 200})
    assert error["type"]


@pytest.mark.parametrize(("fault", "upstream", "status"), FAULTS.values(), ids=FAULTS)
def test_an_answer_that_is_broken_is_an_error_of_its_item(
    http: httpx.Client,
    simulator: SimulatorClient,
    fault: Json,
    *,
    upstream: int | None,
    status: int,
) -> None:
    simulator.behave(
        *({**fault, "match": {"provider": name}} for name in MODELS if name != "openai"),
        {**fault, "match": {"model": MODELS["openai"]}},
    )
    names = [*MODELS.values(), GOOD]
    asked: Json = {"messages": PROMPT, "num_retries": 0}

    every = http.post("/batch_completion_models_all_responses", json={**asked, "models": names})

    *broken, good = every.json()["data"]
    assert good["choices"]
    for answer, (provider, model) in zip(broken, MODELS.items(), strict=True):
        assert answer["model"] == model
        assert_names(answer["error"], provider, upstream)
    assert_no_internals(every, simulator)

    for provider, model in MODELS.items():
        single = http.post("/chat/completions", json={**asked, "model": model})
        assert single.status_code == status
        assert_names(single.json()["error"], provider, upstream)
        assert_no_internals(single, simulator)

        stream = http.post("/chat/completions", json={**asked, "model": model, "stream": True})
        if stream.status_code == 200:  # it broke behind its first chunk
            *_, last = events_of(stream.text)
            assert "[DONE]" not in stream.text
        else:
            assert stream.status_code == status
            last = stream.json()
        assert_names(last["error"], provider, upstream)
        assert_no_internals(stream, simulator)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "broken_stream", "status": 500},
        {"kind": "broken_stream", "status": None},
        {"kind": "drop", "when": "last_token"},
    ],
    ids=["an error in its middle", "no end", "cut off"],
)
def test_half_a_stream_is_not_taken_for_a_whole_one(
    http: httpx.Client, simulator: SimulatorClient, fault: Json
) -> None:
    simulator.behave(fault)
    prompt = [{"role": "user", "content": "[[long:11]]"}]
    asked: Json = {"messages": prompt, "stream": True, "num_retries": 0}

    for provider, model in MODELS.items():
        answer = http.post("/chat/completions", json={**asked, "model": model})

        *chunks, last = events_of(answer.text)
        texts = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
        assert answer.status_code == 200
        assert len("".join(texts).split()) == 10
        assert_names(last["error"], provider, None)
        assert 10 <= last["error"]["nightmail"]["received_tokens"] <= 20
        assert "[DONE]" not in answer.text
        assert_no_internals(answer, simulator)


@pytest.mark.parametrize("fault", [FAULTS["no JSON"][0], FAULTS["an error in a 200"][0]])
def test_one_broken_answer_of_many_prompts_hides_no_other(
    http: httpx.Client, simulator: SimulatorClient, fault: Json
) -> None:
    simulator.behave({**fault, "match": {"text": "break"}})
    prompts: list[Any] = [
        PROMPT,
        {"custom_id": "mine", "messages": [{"role": "user", "content": "break"}]},
        PROMPT,
    ]

    for provider, model in MODELS.items():
        body = {"model": model, "messages": prompts, "num_retries": 0}
        answer = http.post("/batch_completion", json=body)

        first, broken, last = answer.json()["data"]
        assert first["choices"][0]["message"] == last["choices"][0]["message"]
        assert broken["custom_id"] == "mine"
        assert_names(broken["error"], provider, 200)
        assert_no_internals(answer, simulator)


def test_an_answer_is_passed_on_at_any_depth_or_refused_as_too_deep(
    http: httpx.Client, simulator: SimulatorClient, life: Life
) -> None:
    """What is read whole may be too deep within a list of answers, or within an outcome."""
    model, own = MODELS["openai"], '{"choices": [{"message": {"content": "x"}}], "more": %s}'
    found = []
    for levels in range(248, 255):
        body = own % ("[" * levels + "]" * levels)
        simulator.behave(
            {"kind": "status", "status": 200, "body": body, "media_type": "application/json"}
        )
        asked: Json = {"model": [model], "messages": [PROMPT]}
        ((answer,),) = http.post("/chat/completions", json=asked).json()
        many = http.post("/batch_completion", json={"model": model, "messages": [PROMPT]})
        (item,) = many.json()["data"]
        batch_id = create_batch(http, as_jsonl([line(1, {"model": DIRECT, "messages": PROMPT})]))
        life.run("admin", batch_id)
        batch = look(http, batch_id)
        found.append(("error" in answer, "error" in item, batch["request_counts"]["failed"]))
        assert batch["status"] == "completed"

    assert set(found) == {(False, False, 0), (True, True, 1)}
    assert found == sorted(found)


@pytest.mark.of("anthropic", "cohere")
def test_a_race_that_broken_providers_lose_tells_of_each(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    simulator.behave(
        {"kind": "status", "status": 429, "retry_after": 7, "match": {"provider": "anthropic"}},
        {"kind": "status", "status": 429, "retry_after": 3, "match": {"provider": "cohere"}},
        {"kind": "status", "status": 503, "body": PAGE},
    )
    names = list(MODELS.values())

    answer = http.post(
        "/batch_completion_models", json={"models": names, "messages": PROMPT, "num_retries": 0}
    )

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    told = answer.json()["error"]["models"]
    throttled = {MODELS["anthropic"], MODELS["cohere"]}
    assert [(each["model"], each["status"]) for each in told] == [
        (name, 429 if name in throttled else 502) for name in names
    ]
    assert_no_internals(answer, simulator)
