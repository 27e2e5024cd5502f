"""What the simulator answers, of every kind and as other providers, is as they describe it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json, Provider, chat, events_of, tool
from tests.simulated_messages import MessageBatches, request
from tests.simulated_providers import anthropic_client, message
from tests.simulated_providers import ask_anthropic as ask
from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.adapters.documents import check_schema
from tests.unit.native.cases import TAG, NativeSamples
from tests.unit.native.table import ADAPTERS

OPENAI, ANTHROPIC = "openai.relaxed.openapi.yaml", "anthropic.trimmed.openapi.yaml"
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}}
REQUESTS: list[Json] = [
    {},
    {"max_tokens": 2},
    {"stop_sequences": ["short"]},
    {"tools": [TOOL], "tool_choice": {"type": "any"}},
    {"thinking": {"type": "adaptive"}, "messages": [{"role": "user", "content": "[[cached:3:4]]"}]},
    {"messages": [{"role": "user", "content": "[[refusal]]"}]},
    {"messages": [{"role": "user", "content": "[[empty]]"}]},
]


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    with anthropic_client(simulator) as http:
        yield http


@pytest.mark.parametrize("more", REQUESTS)
def test_messages_are_as_described(http: httpx.Client, more: Json) -> None:
    check_schema(ANTHROPIC, "Message", ask(http, **more).raise_for_status().json())


@pytest.mark.parametrize("more", REQUESTS)
def test_the_parts_of_a_stream_are_as_described(http: httpx.Client, more: Json) -> None:
    events = events_of(ask(http, **more, stream=True).raise_for_status().text)

    check_schema(ANTHROPIC, "Message", events[0]["message"])
    for event in events:
        if event["type"] == "content_block_start":
            check_schema(ANTHROPIC, "ContentBlock", event["content_block"])


def test_batches_of_messages_are_as_described(
    simulator: SimulatorClient, http: httpx.Client
) -> None:
    batches = MessageBatches(simulator, http)
    requests = [request(1), request(2, message("[[fail:529]]"))]
    ended = [batches.finish(requests)]
    simulator.behave({"kind": "expired_batch"})
    ended.append(batches.finish(requests))
    simulator.behave({"kind": "stuck_batch"})
    batch_id = batches.submit(requests)
    simulator.until_waiting()
    running = [batches.look(batch_id), batches.cancel(batch_id).json()]
    ended.append(batches.end(batch_id))
    results = [result for batch in ended for result in batches.results(batch).values()]

    for batch in (*running, *ended):
        check_schema(ANTHROPIC, "MessageBatch", batch)
    kinds = {result["type"] for result in results}
    assert kinds == {"succeeded", "errored", "canceled", "expired"}
    for result in results:
        line = {"custom_id": "any", "result": result}
        check_schema(ANTHROPIC, "MessageBatchIndividualResponse", line)
    check_schema(ANTHROPIC, "ListResponse_MessageBatch_", batches.list().json())
    check_schema(ANTHROPIC, "DeleteMessageBatchResponse", batches.delete(batch_id).json())
    check_schema(ANTHROPIC, "ErrorResponse", batches.get(batch_id).json())
    check_schema(ANTHROPIC, "CreateMessageBatchParams", {"requests": requests})


# The description has no errors of the statuses 409 and 413.
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 504, 529])
def test_errors_are_as_described(
    simulator: SimulatorClient, http: httpx.Client, status: int
) -> None:
    simulator.behave({"kind": "status", "status": status})

    check_schema(ANTHROPIC, "ErrorResponse", ask(http).json())


@pytest.mark.parametrize("how", ["[[tool:2]]", "[[refusal]]", "[[filter]]", "[[empty]]"])
def test_chat_answers_of_every_kind_are_as_described(provider: Provider, how: str) -> None:
    body = chat(f"{how} [[think:3]] [[cached:5]]", tools=[tool(), tool("g")])
    streamed = provider.ask({**body, "stream": True, "stream_options": {"include_usage": True}})

    check_schema(OPENAI, "CreateChatCompletionResponse", provider.ask(body).json())
    for chunk in events_of(streamed.text):
        check_schema(OPENAI, "CreateChatCompletionStreamResponse", chunk)


# ---- Providers that resemble OpenAI

RESEMBLING = {
    "groq": ("groq.trimmed.openapi.yaml", "CreateChatCompletionResponse"),
    "mistral": ("mistral.trimmed.openapi.yaml", "ChatCompletionResponse"),
    "together_ai": ("together.trimmed.openapi.yaml", "ChatCompletionResponse"),
}
# Mistral's description wants one that it does not describe.
UNDESCRIBED = {"mistral": {"data": None}}
CHATS: list[Json] = [
    chat("[[cached:5]]"),
    chat("[[think:3]]"),
    chat("[[think:3]]", tools=[tool()]),
    chat("[[tool:2]]", tools=[tool(), tool("g")]),
    chat("[[empty]]"),
    chat("Hi", max_tokens=2),
    chat("Hi", n=2),
]


@pytest.mark.parametrize("name", RESEMBLING)
@pytest.mark.parametrize("body", CHATS)
def test_chat_answers_are_as_each_provider_describes_them(
    simulator: SimulatorClient, name: str, body: Json
) -> None:
    answer = post(simulator, name, body).raise_for_status().json()

    check_schema(*RESEMBLING[name], UNDESCRIBED.get(name, {}) | answer)


def post(simulator: SimulatorClient, name: str, body: Json) -> httpx.Response:
    url = f"{simulator.base_of(name)}/chat/completions"
    return httpx.post(url, json=body, headers={"authorization": f"Bearer {KEY}"}, trust_env=False)


@pytest.mark.parametrize(
    "samples",
    [samples for samples in ADAPTERS if samples.direct.provider in RESEMBLING],
    ids=lambda samples: samples.direct.provider,
)
def test_batches_are_as_each_provider_describes_them(
    simulator: SimulatorClient, samples: NativeSamples
) -> None:
    base = simulator.base_of(samples.direct.provider)
    provider, content = samples.opened(base), samples.shard_input()

    def submitted() -> str:
        return provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)

    def check(identity: str) -> None:
        url = base + samples.batch_path(identity)
        headers = {"authorization": f"Bearer {KEY}"}
        answer = httpx.get(url, headers=headers, trust_env=False).raise_for_status()
        samples.check_batch(answer.json())

    moods: list[Json] = [{"kind": "lagging_counts"}, {"kind": "late_output", "polls": 1}]
    for mood in (*moods, {"kind": "expired_batch"}, {"kind": "failed_batch", "errors": []}):
        simulator.behave(mood)
        identity = submitted()
        check(identity)
        simulator.until_final(identity)
        check(identity)
        check(identity)
    simulator.behave({"kind": "stuck_batch"})
    identity = submitted()
    simulator.until_settled()
    provider.cancel(identity)
    check(identity)
    simulator.until_final(identity)
    check(identity)
