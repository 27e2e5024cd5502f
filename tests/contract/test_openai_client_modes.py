"""The official client with every provider: chats, tools, embeddings, several models, several prompts."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion

from local.simulator.client import SimulatorClient
from tests.contract.conftest import SHAKY
from tests.simulated import events_of, tool
from tests.template import Json

OPENAI, ANTHROPIC, COHERE = "gpt-4o-mini", "claude-haiku-4-5", "command-a-03-2025"
GROQ = "groq/llama-3.3-70b-versatile"
MODELS = [OPENAI, ANTHROPIC, COHERE, GROQ]
ALL = ", ".join(MODELS)


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def whole(client: openai.OpenAI, **asked: Any) -> ChatCompletion:
    """An answer that came as a stream, put together by the client's own means."""
    state = ChatCompletionStreamState()
    with client.chat.completions.create(
        stream=True, stream_options={"include_usage": True}, **asked
    ) as chunks:
        for chunk in chunks:
            state.handle_chunk(chunk)
    return state.get_final_completion()


def gist(completion: ChatCompletion) -> Json:
    """What is the same whether an answer came in one piece or as a stream."""
    (choice,) = completion.choices
    assert completion.usage
    return {
        "model": completion.model,
        "content": choice.message.content or None,
        "tools": [
            (call.function.name, json.loads(call.function.arguments))
            for call in choice.message.tool_calls or []
            if call.type == "function"
        ],
        "finish_reason": choice.finish_reason,
        "tokens": (completion.usage.prompt_tokens, completion.usage.completion_tokens),
    }


@pytest.mark.parametrize("model", MODELS)
def test_a_chat_says_the_same_whole_and_as_a_stream(client: openai.OpenAI, model: str) -> None:
    asked: Json = {"model": model, "messages": [*said("Hello!"), *said("Who are you?")]}

    told = gist(client.chat.completions.create(**asked))

    assert told == gist(whole(client, **asked))
    assert (told["model"], told["finish_reason"]) == (model, "stop")
    assert told["content"]
    assert all(told["tokens"])


@pytest.mark.parametrize("model", MODELS)
def test_tools_are_called_and_their_results_are_answered(client: openai.OpenAI, model: str) -> None:
    asked: Json = {
        "model": model,
        "messages": said("How is the weather? [[tool:2]]"),
        "tools": [tool()],
        "tool_choice": "auto",
    }

    first = client.chat.completions.create(**asked)

    told = gist(first)
    assert told == gist(whole(client, **asked))
    assert told["finish_reason"] == "tool_calls"
    assert [name for name, _ in told["tools"]] == ["get_weather"] * 2
    calls = first.choices[0].message.tool_calls or []
    assert len({call.id for call in calls}) == 2
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "blue"}'} for call in calls
    ]
    spoken: Any = [*asked["messages"], first.choices[0].message.to_dict(), *results]
    last = client.chat.completions.create(model=model, messages=spoken, tools=asked["tools"])
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].message.content


@pytest.mark.of("anthropic", "cohere", "groq")
def test_without_a_wish_for_the_fastest_several_models_answer_an_array(
    client: openai.OpenAI,
) -> None:
    for models in (ALL, MODELS):
        answers: Any = client.chat.completions.create(model=models, messages=said("Hi"))  # type: ignore[arg-type]

        assert [each.model for each in answers] == MODELS
        assert all(isinstance(each, ChatCompletion) for each in answers)


@pytest.mark.of("anthropic")
def test_a_list_of_names_races_as_names_with_commas_do(client: openai.OpenAI) -> None:
    names: Any = [OPENAI, ANTHROPIC]

    raw = client.chat.completions.with_raw_response.create(
        model=names, messages=said("Hi"), extra_body={"fastest_response": True}
    )

    assert raw.parse().model == raw.headers["x-nightmail-winner"]
    assert raw.headers["x-nightmail-winner"] in names


@pytest.mark.of("anthropic", "cohere", "groq")
def test_litellms_header_races_too(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=ALL,
        messages=said("Hi"),
        extra_headers={"x-litellm-fastest_response_batch_completion": "true"},
    )

    assert raw.parse().model == raw.headers["x-nightmail-winner"]


@pytest.mark.of("anthropic", "cohere", "groq")
def test_all_answers_as_a_stream_are_told_apart(client: openai.OpenAI) -> None:
    chunks: list[Any] = list(
        client.chat.completions.create(model=ALL, messages=said("Hi"), stream=True)
    )

    by_index: dict[int, list[Any]] = {}
    for chunk in chunks:
        by_index.setdefault(chunk.nightmail["index"], []).append(chunk)
    assert sorted(by_index) == [0, 1, 2, 3]
    for index, own in by_index.items():
        assert {chunk.model for chunk in own} == {MODELS[index]}
        assert len({chunk.id for chunk in own}) == 1
        assert [choice.finish_reason for chunk in own for choice in chunk.choices][-1] == "stop"
    assert len({own[0].id for own in by_index.values()}) == len(MODELS)


@pytest.mark.of("anthropic", "cohere", "groq")
def test_many_prompts_for_many_models_are_lists_of_lists(client: openai.OpenAI) -> None:
    prompts: Any = [said(f"Question {number}") for number in range(3)]

    rows: Any = client.chat.completions.create(model=ALL, messages=prompts)
    one: Any = client.chat.completions.create(model=COHERE, messages=prompts)

    assert [[each["model"] for each in row] for row in rows] == [MODELS] * 3
    assert [each.model for each in one] == [COHERE] * 3
    for row, answer in zip(rows, one, strict=True):
        content = answer.choices[0].message.content
        assert row[MODELS.index(COHERE)]["choices"][0]["message"]["content"] == content
    assert len({answer.choices[0].message.content for answer in one}) == len(prompts)


@pytest.mark.of("anthropic", "cohere", "groq")
def test_all_responses_have_an_endpoint_of_their_own(
    http: httpx.Client, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "status", "status": 400, "match": {"model": ANTHROPIC}})
    body = {"models": [*MODELS, "nobody-knows", OPENAI], "messages": said("Hi")}

    listed = http.post("/batch_completion_models_all_responses", json=body).json()

    assert listed["object"] == "list"
    assert [each["model"] for each in listed["data"]] == body["models"]
    failed = {each["model"]: each["error"]["code"] for each in listed["data"] if "error" in each}
    assert set(failed) == {ANTHROPIC, "nobody-knows"}
    assert failed["nobody-knows"] == "model_not_found"
    answered = [each["usage"] for each in listed["data"] if "error" not in each]
    assert listed["usage"]["prompt_tokens"] == sum(each["prompt_tokens"] for each in answered)

    streamed = http.post("/batch_completion_models_all_responses", json={**body, "stream": True})

    events = events_of(streamed.text)
    assert {each["nightmail"]["index"] for each in events} == set(range(6))
    assert {each["model"] for each in events if "error" in each} == {ANTHROPIC, "nobody-knows"}
    assert streamed.text.count("data: [DONE]\n\n") == 1
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("model", ["text-embedding-3-small", "embed-v4.0"])
def test_embeddings_are_the_same_in_the_clients_base64_and_as_numbers(
    client: openai.OpenAI, model: str
) -> None:
    asked: Json = {"model": model, "input": ["one", "two", "three"]}

    by_default = client.embeddings.create(**asked)
    as_numbers = client.embeddings.create(encoding_format="float", **asked)

    assert by_default.model == model
    assert [each.index for each in by_default.data] == [0, 1, 2]
    assert by_default.usage.prompt_tokens > 0
    for first, second in zip(by_default.data, as_numbers.data, strict=True):
        assert first.embedding == pytest.approx(second.embedding)
        assert len(first.embedding) > 100


def test_the_configs_fallbacks_stand_in_for_a_model_that_fails(
    client: openai.OpenAI, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "refused_key", "match": {"model": "gpt-4o"}})

    answer = client.chat.completions.create(model=SHAKY, messages=said("Hi"))
    chunks = list(client.chat.completions.create(model=SHAKY, messages=said("Hi"), stream=True))

    assert answer.model == "gpt-4o-mini"
    assert {chunk.model for chunk in chunks} == {"gpt-4o-mini"}


@pytest.mark.of("anthropic", "cohere")
def test_a_request_names_its_own_fallbacks_and_retries(
    client: openai.OpenAI, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "status", "status": 503, "match": {"model": "gpt-4o"}})

    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=said("Hi"),
        extra_body={
            "fallbacks": [{"gpt-4o": ["nobody-needs", COHERE]}, ANTHROPIC],
            "num_retries": 0,
        }
        | {"fallbacks": [COHERE, ANTHROPIC]},
    )

    assert answer.model == COHERE
    assert len(simulator.calls(model="gpt-4o")) == 1
    assert simulator.calls(model=ANTHROPIC) == []
