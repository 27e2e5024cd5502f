"""The provider simulator: its answers."""

from __future__ import annotations

import json
import re

import httpx
import openai
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import Json, Provider, chat, error_of


def text_of(answer: httpx.Response) -> str:
    text: str = answer.raise_for_status().json()["choices"][0]["message"]["content"]
    return text


def test_a_digest_does_not_depend_on_the_model_the_form_or_the_order_of_keys() -> None:
    asked = {"messages": [{"role": "user", "content": "Hé"}], "temperature": 0.5}
    reordered = {"temperature": 0.5, "messages": [{"content": "Hé", "role": "user"}]}
    formed = {**reordered, "model": "m", "stream": True, "stream_options": {"include_usage": True}}

    assert digest(asked) == digest(formed)


def test_a_digest_depends_on_all_that_was_asked() -> None:
    asked = [chat("Hi"), chat("Hi!"), chat("Hi", temperature=0), chat("Hi", n=2)]

    assert len({digest(body) for body in asked}) == len(asked)


def test_an_answer_carries_the_digest_of_its_request(provider: Provider) -> None:
    body = chat("What is a batch?")

    assert text_of(provider.ask(body)).endswith(f"[sim {digest(body)}]")
    assert text_of(provider.ask({**body, "model": "another"})) == text_of(provider.ask(body))


def test_the_answering_model_has_a_dated_name(provider: Provider) -> None:
    assert provider.ask(chat("Hi")).json()["model"] == "gpt-5-mini-2026-01-01"


def test_usage_counts_the_words_of_prompt_and_answer(provider: Provider) -> None:
    answer = provider.ask(chat("one two three", max_tokens=2)).json()

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["usage"]["total_tokens"] == 7


def test_a_prompt_chooses_the_length_of_its_answer(provider: Provider) -> None:
    assert len(text_of(provider.ask(chat("Write [[long:300]]"))).split()) == 300


@pytest.mark.parametrize(
    ("instructions", "text", "answer"),
    [
        ("Classify the review as positive, negative or neutral.", "I love it.", "positive"),
        ("Sort the ticket into billing, delivery or other. Label:", "A delivery!", "delivery"),
        ("Extract names and amounts.", "Ada Lovelace paid $12.50.", "Found: Ada Lovelace; $12.50"),
        ("Rewrite this politely.", "send it now. Or else.", "Send it now."),
    ],
)
def test_an_answer_reads_sensibly(
    provider: Provider, instructions: str, text: str, answer: str
) -> None:
    body = chat(text)
    body["messages"].insert(0, {"role": "system", "content": instructions})

    assert text_of(provider.ask(body)) == f"{answer} [sim {digest(body)}]"


def test_an_answer_in_json_has_the_properties_of_its_schema(provider: Provider) -> None:
    properties = {"label": {"enum": ["a"]}, "count": {"type": "integer"}, "why": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    body = chat("Hi", response_format=form)

    answer = json.loads(text_of(provider.ask(body)))

    assert answer.keys() == {"label", "count", "why", "sim"}
    assert (answer["label"], answer["count"]) == ("a", 1)
    assert answer["sim"] == f"[sim {digest(body)}]"


def test_a_stream_adds_up_to_the_plain_answer(provider: Provider) -> None:
    body = chat("Stream this, please.", n=2)
    plain = provider.ask(body).json()
    streamed = provider.ask({**body, "stream": True, "stream_options": {"include_usage": True}})

    *events, done = re.findall(r"data: (.*)\n\n", streamed.text)
    chunks = [json.loads(event) for event in events]
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content", "")

    assert done == "[DONE]"
    assert texts == [choice["message"]["content"] for choice in plain["choices"]]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plain["usage"]


def test_a_stream_without_usage_has_no_usage_key(provider: Provider) -> None:
    assert "usage" not in provider.ask(chat("Hi", stream=True)).text


def test_an_embedding_is_the_same_as_floats_and_as_base64(simulator: SimulatorClient) -> None:
    with openai.OpenAI(base_url=simulator.base_url, api_key="sk-test") as client:
        texts = ["one text", "one text", "another"]
        decoded = client.embeddings.create(model="text-embedding-3-small", input=texts)
        floats = client.embeddings.create(
            model="text-embedding-3-small", input=texts, encoding_format="float"
        )

    vectors = [row.embedding for row in decoded.data]
    assert vectors == [row.embedding for row in floats.data]
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert vectors[0] != vectors[1]
    assert decoded.usage.prompt_tokens == 5


def test_tokens_are_embedded_as_one_input(provider: Provider) -> None:
    body = {"model": "m", "input": [1, 2, 3], "dimensions": 2}
    answer = provider.http.post("/embeddings", json=body).json()

    assert [len(row["embedding"]) for row in answer["data"]] == [2]
    assert answer["usage"]["total_tokens"] == 3


@pytest.mark.parametrize(
    ("path", "field"),
    [("/completions", "prompt"), ("/responses", "input"), ("/moderations", "input")],
)
def test_other_endpoints_answer_with_the_digest_of_their_request(
    provider: Provider, path: str, field: str
) -> None:
    body = {"model": "m", field: "Some text"}

    assert digest(body) in provider.http.post(path, json=body).raise_for_status().text


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "context_length_exceeded"), (429, "rate_limit_exceeded"), (500, None)],
)
def test_a_prompt_can_ask_for_a_failure(provider: Provider, status: int, code: str | None) -> None:
    answer = provider.ask(chat(f"Please [[fail:{status}]]"))

    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert ("retry-after" in answer.headers) is (status == 429)


def test_a_failure_that_was_asked_for_twice_ends_with_the_third_attempt(
    provider: Provider,
) -> None:
    body = chat("Please [[fail:500:2]]")
    statuses = [provider.ask(body).status_code for _ in range(4)]

    assert statuses == [500, 500, 200, 200]
    assert provider.simulator.attempts() == {digest(body): 4}
    assert provider.simulator.paid() == {digest(body): 2}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": [{"role": "user"}]}, "model", "missing_required_parameter"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": []}, "messages", "invalid_value"),
        ({"model": "m", "messages": "Hi"}, "messages", "invalid_type"),
        ({"model": 1, "messages": [{}]}, "model", "invalid_type"),
        (chat("Hi", n=0), "n", "invalid_value"),
    ],
)
def test_a_wrong_request_is_refused_with_its_parameter(
    provider: Provider, body: Json, param: str, code: str
) -> None:
    answer = provider.ask(body)

    assert answer.status_code == 400
    assert (error_of(answer)["param"], error_of(answer)["code"]) == (param, code)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(provider: Provider, content: bytes) -> None:
    assert provider.http.post("/chat/completions", content=content).status_code == 400


def test_a_call_without_a_key_is_refused(simulator: SimulatorClient) -> None:
    answer = httpx.get(f"{simulator.base_url}/models", trust_env=False)

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "invalid_api_key"


def test_every_answer_tells_its_request_id_and_its_time(provider: Provider) -> None:
    first, second = provider.http.get("/models"), provider.http.get("/nothing")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert int(first.headers["openai-processing-ms"]) >= 0
    assert second.status_code == 404
    assert "/nothing" in error_of(second)["message"]


def test_paths_work_with_and_without_the_prefix(provider: Provider) -> None:
    for base in (provider.simulator.url, provider.simulator.base_url):
        assert provider.http.get(f"{base}/models").json()["data"]
