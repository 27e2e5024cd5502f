"""The official client asks one model and many, plain and streaming: nothing but `extra_body` is needed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionUserMessageParam

from local.simulator.client import SimulatorClient
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life

SLOW, FAST = "gpt-4o", "gpt-4o-mini"
BOTH = f"{SLOW}, {FAST}"
FASTEST = {"fastest_response": True}


def said(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


def text_of(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


def test_one_model_answers(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model=FAST, messages=said("Hello!"))

    assert completion.model == FAST
    assert text_of(completion)
    assert completion.usage
    assert completion.usage.total_tokens > 0


def test_one_model_streams(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=FAST, messages=said("Hello!"))

    with client.chat.completions.create(model=FAST, messages=said("Hello!"), stream=True) as chunks:
        said_so_far = [chunk.choices[0].delta.content or "" for chunk in chunks]

    assert "".join(said_so_far) == text_of(whole)


def test_a_race_returns_the_fastest_while_the_other_is_held(
    client: openai.OpenAI, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "hold", "match": {"model": SLOW}})

    raw = client.chat.completions.with_raw_response.create(
        model=BOTH, messages=said("Who is first?"), extra_body=FASTEST
    )

    assert raw.parse().model == FAST
    assert raw.headers["x-nightmail-winner"] == FAST
    report = json.loads(raw.headers["x-nightmail-race"])
    assert [(line["model"], line["outcome"]) for line in report] == [
        (SLOW, "cancelled"),
        (FAST, "won"),
    ]
    (loser,) = simulator.until_calls("disconnected")
    assert loser["model"] == SLOW


def test_a_race_of_streams_is_won_by_the_first_token(
    client: openai.OpenAI, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "hold", "when": "first_token", "match": {"model": SLOW}})

    chunks = list(
        client.chat.completions.create(
            model=BOTH, messages=said("Who is first?"), extra_body=FASTEST, stream=True
        )
    )

    assert {chunk.model for chunk in chunks} == {FAST}
    assert any(chunk.choices[0].delta.content for chunk in chunks)
    assert [call["model"] for call in simulator.until_calls("disconnected")] == [SLOW]


def test_a_race_that_all_lose_is_one_error(
    client: openai.OpenAI, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "status", "status": 400})

    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model=BOTH, messages=said("Who is first?"), extra_body=FASTEST
        )

    assert raised.value.code == "all_models_failed"
    assert isinstance(raised.value.body, dict)
    assert [each["model"] for each in raised.value.body["models"]] == [SLOW, FAST]


def test_the_asynchronous_client_races_too(
    server: GatewayServer, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "hold", "match": {"model": SLOW}})

    async def ask() -> tuple[str, set[str]]:
        url = f"{server.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=MASTER_KEY) as client:
            plain = await client.chat.completions.create(
                model=BOTH, messages=said("Hi"), extra_body=FASTEST
            )
            stream = await client.chat.completions.create(
                model=BOTH, messages=said("Hi"), extra_body=FASTEST, stream=True
            )
            return plain.model, {chunk.model async for chunk in stream}

    assert asyncio.run(ask()) == (FAST, {FAST})


def test_embeddings(client: openai.OpenAI) -> None:
    """The client asks for base64, and reads it."""
    made = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])

    assert [each.index for each in made.data] == [0, 1]
    assert all(isinstance(each.embedding[0], float) for each in made.data)


def test_an_error_has_the_clients_own_class(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nobody-knows", messages=said("Hi"))

    assert raised.value.code == "model_not_found"


def test_many_prompts_become_a_batch_that_is_retrieved_like_any_other(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    body = {"model": FAST, "messages": [said("One?"), said("Two?")]}

    answer = http.post("/batch_completion", json=body, headers={"Prefer": "respond-async"})

    assert answer.status_code == 202
    batch = client.batches.retrieve(answer.json()["id"])
    assert batch.status == "validating"
    assert http.get(answer.headers["location"].removeprefix("/v1")).json()["id"] == batch.id
    lines = client.files.content(batch.input_file_id).text.splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["request-1", "request-2"]


def test_what_a_request_became_is_delivered_like_any_batch_and_nothing_is_asked_twice(
    client: openai.OpenAI, http: httpx.Client, simulator: SimulatorClient, life: Life
) -> None:
    simulator.behave({"kind": "hold", "match": {"text": "Late?"}, "times": 1})
    prompts = [said("One?"), said("Late?"), said("[[fail:400]]")]

    answer = http.post(
        "/batch_completion", json={"model": FAST, "messages": prompts}, headers={"Prefer": "wait=1"}
    )
    life.run("admin", answer.json()["id"])

    batch = client.batches.retrieve(answer.json()["id"])
    assert (answer.status_code, batch.status) == (202, "completed")
    output = client.files.content(batch.output_file_id or "").text.splitlines()
    (error,) = client.files.content(batch.error_file_id or "").text.splitlines()
    assert [json.loads(line)["custom_id"] for line in output] == ["request-1", "request-2"]
    assert json.loads(error)["response"]["status_code"] == 400
    assert max(simulator.attempts().values()) == 1
    assert len(simulator.calls(path="/chat/completions")) == len(prompts) + 1


def test_a_big_answer_is_fetched_from_the_bucket_without_a_key(http: httpx.Client) -> None:
    body = {"model": FAST, "messages": [said("[[long:40000]]")] * 30}

    answer = http.post("/batch_completion", json=body)

    assert (answer.status_code, answer.content) == (303, b"")
    elsewhere = httpx.get(answer.headers["location"], trust_env=False)
    assert len(elsewhere.content) > 5_000_000
    assert elsewhere.headers["content-type"] == "application/json"
    assert len(elsewhere.json()["data"]) == 30


def test_a_stream_comes_as_it_is_however_big_it_gets(client: openai.OpenAI) -> None:
    body: dict[str, Any] = {"model": FAST, "messages": said("[[long:40000]]"), "stream": True}

    chunks: Any = client.chat.completions.create(**body)

    assert sum(bool(chunk.choices[0].delta.content) for chunk in chunks) > 10_000
