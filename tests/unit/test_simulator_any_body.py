"""The provider simulator: whatever is sent, a provider answers it or refuses it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulator.anthropic.dialect import AnthropicDialect
from local.simulator.cohere.dialect import CohereDialect
from local.simulator.dialect import Dialect
from local.simulator.errors import ApiError
from local.simulator.openai_dialect import OpenAIDialect
from tests.simulated import Json, chat, tool

HEADERS = {b"anthropic-version": b"2023-06-01"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "Rain."}
ASKED = {"role": "user", "content": [{"type": "text", "text": "[[tool:2]]"}]}
CHAT = chat("Hi") | {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "Rain."},
        ASKED,
    ],
    "tools": [tool()],
}
MESSAGES = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [RESULT, {"type": "text", "text": "[[tool:2]]"}]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}}],
}
BODIES: list[tuple[Dialect, str, Json]] = [
    (OpenAIDialect(), "/chat/completions", CHAT),
    (OpenAIDialect(is_strict=False), "/chat/completions", CHAT),
    (OpenAIDialect(), "/responses", {"model": "m", "input": "Hi"}),
    (OpenAIDialect(), "/completions", {"model": "m", "prompt": "Hi"}),
    (OpenAIDialect(), "/embeddings", {"model": "m", "input": ["a"]}),
    (OpenAIDialect(), "/moderations", {"input": "Hi"}),
    (AnthropicDialect(), "/messages", MESSAGES),
    (CohereDialect(), "/chat", CHAT),
    (CohereDialect(), "/embed", {"model": "m", "input_type": "search_query", "texts": ["a"]}),
]
STREAMED = {"/chat/completions", "/messages", "/chat"}
FIELDS = st.sampled_from(
    [
        "content",
        "enum",
        "function",
        "input",
        "items",
        "max_output_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "n",
        "name",
        "output_config",
        "properties",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "role",
        "schema",
        "stop",
        "stream",
        "stream_options",
        "system",
        "text",
        "thinking",
        "tool_call_id",
        "tool_calls",
        "tool_choice",
        "tools",
        "type",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "x"])
    | st.sampled_from(["required", "low", "json_object", "[[long:-1]]", "[[fail:999]]", "[[tool:0]]"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any) -> list[Any]:
    """All objects and arrays in a body, the body first."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [place for one in inner for place in places(one)]
    return [value, *found] if isinstance(value, dict | list) else found


@pytest.mark.parametrize(("dialect", "path", "good"), BODIES)
@given(data=st.data())
def test_any_body_is_answered_or_refused(
    dialect: Dialect, path: str, good: Json, data: st.DataObject
) -> None:
    body = copy.deepcopy(good)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.sampled_from(places(body)))
        value = data.draw(VALUES)
        if isinstance(place, dict):
            place[data.draw(FIELDS)] = value
        else:
            place.append(value)
    if is_refused(dialect, path, body):
        return
    assert all(isinstance(text, str) for text in dialect.prompt_of(body))
    answer = dialect.answer(path, body, None)
    assert min(dialect.tokens(answer)) >= 0
    if path in STREAMED:
        assert list(dialect.events(path, body, answer))


def is_refused(dialect: Dialect, path: str, body: Json) -> bool:
    try:
        dialect.check(path, HEADERS, body)
    except ApiError as error:
        return error.status in {400, 422}
    return False
