"""What the simulator answers as Anthropic, and what it answers with tools, is as it is described."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json, Provider, chat, events_of, tool
from tests.simulated_providers import anthropic_client
from tests.simulated_providers import ask_anthropic as ask
from tests.unit.adapters.documents import check_schema

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
