"""The provider simulator as Anthropic: what it refuses and what it takes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import Json, error_of
from tests.simulated_providers import anthropic_client, message
from tests.simulated_providers import ask_anthropic as ask

TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {}}}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}
USER = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    with anthropic_client(simulator) as http:
        yield http


def turn(role: str, *blocks: Json | str) -> Json:
    parts = [{"type": "text", "text": one} if isinstance(one, str) else one for one in blocks]
    return {"role": role, "content": parts}


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"x-api-key": "", "authorization": "Bearer sk"}, 200, None),
        ({"anthropic-version": ""}, 400, "invalid_request_error"),
        ({"anthropic-version": "2025-01-01"}, 400, "invalid_request_error"),
        ({"anthropic-version": "2026-10-21"}, 200, None),
    ],
)
def test_the_headers_are_looked_at(
    http: httpx.Client, headers: dict[str, str], status: int, kind: str | None
) -> None:
    answer = http.post("/v1/messages", json=message(), headers=headers)

    assert answer.status_code == status
    if kind:
        assert answer.json()["type"] == "error"
        assert error_of(answer)["type"] == kind
        assert answer.json()["request_id"] == answer.headers["request-id"]


def test_the_newer_version_has_no_temperature(http: httpx.Client) -> None:
    body = message(temperature=0.5)
    newer = http.post("/v1/messages", json=body, headers={"anthropic-version": "2026-10-21"})

    assert http.post("/v1/messages", json=body).status_code == 200
    assert error_of(newer)["message"] == "temperature: Extra inputs are not permitted"


@pytest.mark.parametrize("path", ["/messages", "/v1/complete", "/v1/files"])
def test_there_is_nothing_else(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json=message())

    assert (answer.status_code, error_of(answer)["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_tokens": None}, "max_tokens: "),
        ({"n": 2}, "n: Extra inputs"),
        ({"stop": ["x"]}, "stop: Extra inputs"),
        ({"temperature": 1.5}, "temperature: "),
        ({"model": "claude-opus-4-7", "temperature": 0.5}, "temperature: "),
        ({"model": "claude-sonnet-5", "top_k": 5}, "top_k: "),
        ({"stop_sequences": [" \n"]}, "stop_sequences.0: "),
        ({"metadata": {"user_id": "ann@example.com"}}, "metadata.user_id: "),
        ({"system": [{"type": "text", "text": ""}]}, "system.0.text: "),
        ({"messages": []}, "messages: "),
        ({"messages": [{"role": "system", "content": "Hi"}]}, "messages.0: "),
        ({"messages": [turn("user", "")]}, "messages.0.content.0.text: "),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages"),
        ({"messages": [{"role": "assistant", "content": "Hi"}, USER]}, "first message"),
        ({"messages": [USER, {"role": "assistant", "content": "Hi "}]}, "trailing whitespace"),
        ({"messages": [turn("user", {"type": "image_url"})]}, "messages.0.content.0: "),
        ({"tool_choice": {"type": "auto"}}, "tool_choice: "),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "not found"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice: "),
        ({"tools": [TOOL], "tool_choice": {"type": "none", "disable_parallel_tool_use": True}}, "Extra inputs"),
        ({"tools": [TOOL, TOOL]}, "unique"),
        ({"tools": [{"name": "f", "input_schema": {"properties": {}}}]}, "tools.0.input_schema.type: "),
        ({"tools": [{"name": "a.b", "input_schema": {"type": "object"}}]}, "tools.0.name: "),
        ({"messages": [USER, turn("assistant", USE), turn("user", RESULT)]}, "must define `tools`"),
        ({"tools": [TOOL], "messages": [USER, turn("assistant", USE)]}, "without `tool_result`"),
        ({"tools": [TOOL], "messages": [USER, turn("assistant", USE), turn("user", "Hi")]}, "without `tool_result`"),
        ({"tools": [TOOL], "messages": [USER, turn("assistant", USE), turn("user", "Hi", RESULT)]}, "must come before"),
        ({"tools": [TOOL], "messages": [turn("user", RESULT)]}, "unexpected `tool_use_id`"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "thinking.budget_tokens: "),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "max_tokens: "),
        ({"thinking": {"type": "adaptive"}, "temperature": 0}, "temperature: "),
        ({"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_choice: "),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "additionalProperties"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {**SCHEMA, "properties": {"a": {"minimum": 1}}}}}}, "minimum"),
    ],
)  # fmt: skip
def test_a_request_that_anthropic_would_refuse_is_refused(
    http: httpx.Client, more: Json, words: str
) -> None:
    answer = ask(http, **more)

    assert (answer.status_code, error_of(answer)["type"]) == (400, "invalid_request_error")
    assert words in error_of(answer)["message"]


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [USER, USER]},
        {"messages": [USER, {"role": "assistant", "content": "The answer is"}]},
        {"messages": [USER, turn("assistant", "I ask.", USE), turn("user", RESULT, "And?")], "tools": [TOOL]},
        {"messages": [turn("user", {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}})]},
        {"messages": [turn("user", {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})]},
        {"messages": [turn("user", {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}})]},
        {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"metadata": {"user_id": "7"}, "service_tier": "auto", "top_p": 0.5, "top_k": 3},
    ],
)  # fmt: skip
def test_a_request_that_anthropic_would_take_is_taken(http: httpx.Client, more: Json) -> None:
    assert ask(http, **more).raise_for_status().json()["stop_reason"] == "end_turn"
