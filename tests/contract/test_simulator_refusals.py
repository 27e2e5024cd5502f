"""What a provider's published description forbids, the simulator of that provider refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import ValidationError  # type: ignore[import-untyped]  # it ships none

from local.simulator.anthropic.checks import check as check_messages
from local.simulator.errors import ApiError
from local.simulator.openai_checks import check as check_openai
from tests.simulated import Json, chat, tool
from tests.unit.adapters.documents import check_request

OPENAI, ANTHROPIC = "openai.relaxed.openapi.yaml", "anthropic.trimmed.openapi.yaml"
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "Rain."}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}

CHATS = [
    chat("Hi", temperature=0.5, top_p=0.5, n=2, stop=["x"], max_tokens=3, user="u", seed=1),
    chat("Hi", tools=[tool()], tool_choice="auto", parallel_tool_calls=True, logprobs=True),
    chat("Hi", response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}),
    chat("Hi", stream=True, stream_options={"include_usage": True}, reasoning_effort="low"),
    chat("") | {"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "Rain."},
    ]},
]  # fmt: skip
EMBEDDINGS: list[Json] = [
    {"model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 3},
    {"model": "m", "input": [1, 2], "user": "u"},
]
MESSAGE = {"model": "claude-haiku-4-5", "max_tokens": 3000}
MESSAGES: list[Json] = [
    MESSAGE | {
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": PNG}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, USE]},
            {"role": "user", "content": [RESULT, {"type": "text", "text": "And?"}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    MESSAGE | {
        "messages": [{"role": "user", "content": "Hi"}],
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        "stop_sequences": ["x"], "stream": True, "temperature": 0.5, "top_p": 0.5, "top_k": 3,
        "metadata": {"user_id": "7"}, "service_tier": "auto",
    },
    MESSAGE | {
        "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    },
]  # fmt: skip

Check = Callable[[Json], None]
CHECKS: dict[str, tuple[str, str, Check, list[Json]]] = {
    "chat": (
        OPENAI,
        "/chat/completions",
        lambda body: check_openai("/chat/completions", body),
        CHATS,
    ),
    "embeddings": (
        OPENAI,
        "/embeddings",
        lambda body: check_openai("/embeddings", body),
        EMBEDDINGS,
    ),
    "messages": (
        ANTHROPIC,
        "/v1/messages",
        lambda body: check_messages("2023-06-01", body),
        MESSAGES,
    ),
}
ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    "other",
    0,
    -1,
    2.5,
    10**9,
    True,
    [],
    ["x"],
    {},
    {"type": "x"},
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to everything in a body but the body itself."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from places(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from places(inner, (*path, index))


def spoiled(body: Json) -> Iterator[Json]:
    """The body with one thing changed, left out, or with one too many beside it."""
    for *way, last in places(body):
        for odd in ODD:
            changed, parent = _copied(body, way)
            parent[last] = odd
            yield changed
        changed, parent = _copied(body, way)
        del parent[last]
        yield changed
        changed, parent = _copied(body, way)
        if isinstance(parent, dict):
            parent["surplus"] = "x"
            yield changed


def _copied(body: Json, way: list[str | int]) -> tuple[Json, Any]:
    """A copy of the body, and what the way leads to in it."""
    body = copy.deepcopy(body)
    place: Any = body
    for step in way:
        place = place[step]
    return body, place


@pytest.mark.parametrize("name", CHECKS)
def test_good_requests_are_described_and_taken(name: str) -> None:
    file, path, check, bodies = CHECKS[name]
    for body in bodies:
        check_request(file, path, body)
        check(body)


@pytest.mark.parametrize("name", CHECKS)
def test_what_the_description_forbids_is_refused(name: str) -> None:
    file, path, check, bodies = CHECKS[name]
    bad = [one for body in bodies for one in spoiled(body) if not is_described(file, path, one)]

    assert len(bad) > 100
    assert [one for one in bad if not is_refused(check, one)] == []


def is_described(file: str, path: str, body: Json) -> bool:
    try:
        check_request(file, path, body)
    except ValidationError:
        return False
    return True


def is_refused(check: Check, body: Json) -> bool:
    try:
        check(body)
    except ApiError as error:
        return error.status == 400
    return False
