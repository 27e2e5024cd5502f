"""Anthropic's adapter as the engine uses it; what holds for every adapter is in `adapters`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest, ProviderGarbled, ProviderRejected, ProviderUnavailable
from nightmail.providers.anthropic.provider import AnthropicProvider
from nightmail.providers.direct import HttpAnswer
from nightmail.providers.registry import open_direct

from tests.unit.anthropic_events import end, error, message, start, text, tool_block, tool_use
from tests.unit.machine import Json

CHAT = "/v1/chat/completions"
BODY = {"model": "public", "messages": [{"role": "user", "content": "Hi"}]}
FUNCTIONS = [{"name": "get_weather"}]


def provider(key: str | None = "the key", **fields: Any) -> AnthropicProvider:
    deployment = Deployment(name="public", provider="anthropic", model="claude-2", **fields)
    return AnthropicProvider(deployment, key)


def sent(body: Json, **fields: Any) -> Json:
    request: Json = orjson.loads(provider(**fields).request(CHAT, body).content)
    return request


def answered(content: bytes, status: int = 200, body: Json = BODY, **fields: Any) -> Json:
    return provider(**fields).answer(CHAT, body, HttpAnswer(status, {}, content))


def test_the_registry_knows_it() -> None:
    deployment = Deployment(name="public", provider="anthropic", model="claude-2")
    assert isinstance(open_direct(deployment, "key"), AnthropicProvider)


@pytest.mark.parametrize(
    ("api_base", "url"),
    [
        (None, "https://api.anthropic.com/v1/messages"),
        ("https://a.example", "https://a.example/v1/messages"),
        ("https://a.example/", "https://a.example/v1/messages"),
        ("https://a.example/v1", "https://a.example/v1/messages"),
        ("https://a.example/proxy/v1/", "https://a.example/proxy/v1/messages"),
    ],
)
def test_a_base_may_end_in_its_version(api_base: str | None, url: str) -> None:
    assert provider(api_base=api_base).request(CHAT, BODY).url == url


def test_the_headers_tell_key_and_version() -> None:
    assert provider().request(CHAT, BODY).headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "the key",
    }
    assert "x-api-key" not in provider(key=None).request(CHAT, BODY).headers


def test_an_old_name_of_a_model_just_passes() -> None:
    assert sent(BODY)["model"] == "claude-2"


def test_the_limit_of_a_request_goes_before_the_deployments_whatever_its_name() -> None:
    defaults = {"max_completion_tokens": 500, "temperature": 0.5}
    assert sent(BODY, defaults=defaults)["max_tokens"] == 500
    assert sent({**BODY, "max_tokens": 7}, defaults=defaults)["max_tokens"] == 7
    assert sent({**BODY, "max_completion_tokens": 7}, defaults=defaults)["max_tokens"] == 7
    assert "temperature" not in sent({**BODY, "temperature": None}, defaults=defaults)


def test_who_may_drop_parameters_is_told_by_the_model_or_by_the_request() -> None:
    asked = {**BODY, "seed": 1}
    assert "seed" not in sent(asked, drop_params=True)
    assert "seed" not in sent({**asked, "drop_params": True})
    with pytest.raises(InvalidRequest, match="seed"):
        sent({**asked, "drop_params": False})


def test_embeddings_are_refused_in_words() -> None:
    with pytest.raises(InvalidRequest, match=r"'public' cannot be used with /v1/embeddings"):
        provider().request("/v1/embeddings", {"model": "public", "input": "Hi"})


@pytest.mark.parametrize("content", ["\ud800", 2**70])
def test_what_json_cannot_carry_is_refused(content: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": content}}
    with pytest.raises(InvalidRequest, match="JSON"):
        sent({**BODY, "tools": [tool]})


def test_what_is_nested_too_deeply_is_refused() -> None:
    schema: Json = {}
    for _ in range(300):
        schema = {"items": schema}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    with pytest.raises(InvalidRequest, match="levels"):
        sent({**BODY, "tools": [tool]})


def test_an_answer_has_the_public_name_and_the_details() -> None:
    body = answered(orjson.dumps(message(text("Hi"), model="claude-2.0")))
    assert body["model"] == "public"
    assert body["nightmail"] == {"provider": "anthropic", "model": "claude-2.0"}
    assert body["created"] > 1_700_000_000


def test_functions_of_the_request_or_the_deployment_make_it_answer_with_a_function_call() -> None:
    content = orjson.dumps(message(tool_use("a", {}), stop_reason="tool_use"))
    asked = {**BODY, "functions": FUNCTIONS}
    for body in (
        answered(content, body=asked),
        answered(content, defaults={"functions": FUNCTIONS}),
    ):
        assert body["choices"][0]["message"]["function_call"]["name"] == "get_weather"
    assert "tool_calls" in answered(content)["choices"][0]["message"]


def test_a_stream_is_read_as_the_request_wants_it() -> None:
    stream = start() + tool_block(0, "a", "{}") + end("tool_use")
    asked = {**BODY, "functions": FUNCTIONS, "stream_options": {"include_usage": True}}
    *_, last, counted = provider().reader(asked).feed(stream)
    assert last["choices"][0]["finish_reason"] == "function_call"
    assert (counted["model"], counted["usage"]["total_tokens"]) == ("public", 17)
    *_, last = provider().reader(BODY).feed(stream)
    assert last["choices"][0]["finish_reason"] == "tool_calls"


def test_an_error_keeps_anthropics_words_and_type() -> None:
    with pytest.raises(ProviderUnavailable) as overloaded:
        answered(error("overloaded_error", "Overloaded"), 529)
    assert overloaded.value.message == "anthropic answered 529: Overloaded"
    assert (overloaded.value.code, overloaded.value.upstream_status) == ("overloaded_error", 529)
    with pytest.raises(ProviderRejected) as refused:
        answered(error("not_found_error", "model: claude-2"), 404)
    assert (refused.value.http_status, refused.value.code) == (404, "not_found_error")


def test_an_error_in_a_good_answer_is_an_error() -> None:
    with pytest.raises(ProviderRejected, match="anthropic answered 200: Too long") as refused:
        answered(error("request_too_large", "Too long"))
    assert refused.value.http_status == 413


@pytest.mark.parametrize("content", [{"type": "message", "id": "x"}, {"completion": "Hi"}])
def test_a_good_status_without_a_message_is_garbled(content: Json) -> None:
    with pytest.raises(ProviderGarbled, match="anthropic answered 200"):
        answered(orjson.dumps(content))


NAMES = [
    "messages", "tools", "tool_choice", "functions", "function_call", "response_format", "stop",
    "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "n", "user",
    "reasoning_effort", "thinking", "service_tier", "parallel_tool_calls", "drop_params",
]  # fmt: skip
FIELDS = [
    "role", "content", "type", "text", "image_url", "url", "file", "file_data", "tool_calls", "id",
    "function", "name", "arguments", "tool_call_id", "function_call", "parameters", "json_schema",
    "schema", "properties", "cache_control", "thinking_blocks", "budget_tokens",
]  # fmt: skip
WORDS = [
    "user", "assistant", "system", "tool", "function", "text", "image_url", "file", "json_schema",
    "json_object", "required", "none", "low", "https://a.example", "data:image/png;base64,QUJD",
    "{}", "{", " ",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5000) | st.floats() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
    ),
    max_leaves=25,
)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"]), "content": values},
        optional={"tool_calls": values, "tool_call_id": values, "cache_control": values},
    ),
    max_size=3,
)


@given(
    body=st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
    messages=turns,
    model=st.sampled_from(["claude-2", "claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-5"]),
    drop_params=st.booleans(),
)
def test_any_body_is_written_or_refused(
    body: Json, messages: list[Json], model: str, drop_params: bool
) -> None:
    deployment = Deployment(
        name="public", provider="anthropic", model=model, drop_params=drop_params
    )
    with suppress(InvalidRequest):
        request = AnthropicProvider(deployment, None).request(CHAT, {"messages": messages, **body})
        written = orjson.loads(request.content)
        roles = [turn["role"] for turn in written["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2)
        assert written["max_tokens"] >= 1
