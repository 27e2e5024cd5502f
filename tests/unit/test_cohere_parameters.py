"""OpenAI's chat parameters as Cohere's: kept, renamed, or refused by name."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import InvalidRequest

from tests.unit.cohere_calls import MODEL, QUESTION, asked, provider, sent

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def tool(name: str, **function: Any) -> dict[str, Any]:
    described = {"name": name, "description": "d", "parameters": SCHEMA, **function}
    return {"type": "function", "function": described}


# ---- Parameters


def test_a_request_holds_coheres_own_model_and_says_whether_it_streams() -> None:
    assert sent({"model": "public", "messages": QUESTION}) == {
        "model": MODEL,
        "messages": QUESTION,
        "stream": False,
    }


def test_a_stream_is_asked_for() -> None:
    request = provider().request("/v1/chat/completions", {"messages": QUESTION}, stream=True)
    assert b'"stream":true' in request.content


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0.5, "seed": 7}, {"temperature": 0.5, "seed": 7}),
        ({"temperature": 0, "seed": 0}, {"temperature": 0, "seed": 0}),
        ({"max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 9, "max_tokens": 5}, {"max_tokens": 9}),
        ({"max_tokens": 5, "max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"max_tokens": 5, "max_completion_tokens": None}, {"max_tokens": 5}),
        ({"top_p": 0.5}, {"p": 0.5}),
        ({"top_p": 1}, {"p": 0.99}),
        ({"top_p": 0}, {"p": 0.01}),
        ({"top_p": 1.5}, {"p": 1.5}),
        ({"top_p": -1}, {"p": -1}),
        ({"top_p": "half"}, {"p": "half"}),
        ({"top_k": 40}, {"k": 40}),
        ({"p": 0.3, "k": 4}, {"p": 0.3, "k": 4}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop_sequences": ["a"]}, {"stop_sequences": ["a"]}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"frequency_penalty": 0.5, "presence_penalty": 0}, {"frequency_penalty": 0.5}),
        ({"frequency_penalty": 0, "presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"safety_mode": "STRICT"}, {"safety_mode": "STRICT"}),
        ({"documents": ["a"]}, {"documents": ["a"]}),
        ({"citation_options": {"mode": "OFF"}}, {"citation_options": {"mode": "OFF"}}),
        ({"strict_tools": True}, {"strict_tools": True}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"seed": 7, "stop": "a", "top_p": 0.5}, {"seed": 7, "stop_sequences": ["a"], "p": 0.5}),
        ({"temperature": None, "stop": None, "tools": None, "tool_choice": None}, {}),
    ],
)
def test_a_parameter_goes_under_coheres_name(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert asked(**given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "text"}, {"type": "text"}),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}},
            {"type": "json_object", "json_schema": SCHEMA},
        ),
    ],
)
def test_a_schema_goes_with_the_json_object(given: Any, expected: Any) -> None:
    assert asked(response_format=given) == {"response_format": expected}


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ("none", {"type": "disabled"}),
        ("minimal", {"type": "enabled", "token_budget": 1024}),
        ("low", {"type": "enabled", "token_budget": 1024}),
        ("medium", {"type": "enabled", "token_budget": 4096}),
        ("high", {"type": "enabled"}),
        ("xhigh", {"type": "enabled"}),
        ("max", {"type": "enabled"}),
    ],
)
def test_an_effort_is_a_budget_for_thinking(effort: str, thinking: Any) -> None:
    assert asked(reasoning_effort=effort) == {"thinking": thinking}


@pytest.mark.parametrize(
    ("given", "thinking"),
    [
        ({"type": "disabled", "token_budget": 5}, {"type": "disabled"}),
        ({"type": "enabled"}, {"type": "enabled"}),
        ({"type": "enabled", "token_budget": 5}, {"type": "enabled", "token_budget": 5}),
        ({"type": "enabled", "budget_tokens": 6}, {"type": "enabled", "token_budget": 6}),
    ],
)
def test_thinking_may_be_asked_for_in_coheres_words(given: Any, thinking: Any) -> None:
    assert asked(thinking=given, reasoning_effort="none") == {"thinking": thinking}
    assert asked(reasoning_effort="none", thinking=given) == {"thinking": thinking}


@pytest.mark.parametrize(
    "given",
    [
        {"n": 2},
        {"logit_bias": {"1": 2}},
        {"top_logprobs": 2},
        {"parallel_tool_calls": False},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "v"}},
        {"functions": [{"name": "f"}]},
        {"function_call": "none"},
        {"user": "u"},
        {"metadata": {"a": "b"}},
        {"store": True},
        {"service_tier": "flex"},
        {"whatever": 0},
    ],
)
def test_what_cohere_has_not_is_refused_by_name_or_dropped(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(**given)
    (name,) = given
    assert refused.value.param == name
    assert f"'{name}'" in refused.value.message
    assert asked(**given, drop_params=True) == {}
    dropped = sent({"messages": QUESTION, **given}, drop_params=True)
    assert dropped == sent({"messages": QUESTION})


def test_what_asks_for_nothing_is_no_parameter_that_cohere_has_not() -> None:
    assert asked(n=1, logit_bias={}, parallel_tool_calls=True, store=False, user=None) == {}


def test_a_requests_parameters_replace_the_deployments() -> None:
    defaults = {"temperature": 0.1, "max_tokens": 5, "seed": 3}
    body = {"messages": QUESTION, "temperature": 0.9, "max_completion_tokens": 7}
    assert sent(body, defaults=defaults) == {
        "model": MODEL,
        "messages": QUESTION,
        "stream": False,
        "temperature": 0.9,
        "max_tokens": 7,
        "seed": 3,
    }


# ---- Tools


def test_tools_keep_name_description_and_schema() -> None:
    assert asked(tools=[tool("f"), tool("g")]) == {"tools": [tool("f"), tool("g")]}


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    given = {"type": "function", "function": {"name": "f"}}
    nothing = {"type": "object", "properties": {}}
    expected = {"type": "function", "function": {"name": "f", "parameters": nothing}}
    assert asked(tools=[given]) == {"tools": [expected]}


def test_one_strict_tool_makes_cohere_strict() -> None:
    tools = [tool("f", strict=False), tool("g", strict=True)]
    assert asked(tools=tools) == {"tools": [tool("f"), tool("g")], "strict_tools": True}


@pytest.mark.parametrize(
    ("choice", "word"),
    [("auto", None), (None, None), ("none", "NONE"), ("required", "REQUIRED")],
)
def test_a_choice_of_tools_is_coheres_word(choice: str | None, word: str | None) -> None:
    fields = asked(tools=[tool("f")], tool_choice=choice)
    assert fields.get("tool_choice") == word
    assert fields["tools"] == [tool("f")]


def test_a_chosen_tool_is_the_only_one_on_offer() -> None:
    choice = {"type": "function", "function": {"name": "g"}}
    fields = asked(tools=[tool("f"), tool("g")], tool_choice=choice)
    assert fields == {"tools": [tool("g")], "tool_choice": "REQUIRED"}


@pytest.mark.parametrize(
    ("mode", "more"), [("auto", {}), ("required", {"tool_choice": "REQUIRED"})]
)
def test_allowed_tools_are_those_on_offer(mode: str, more: dict[str, str]) -> None:
    named = [{"type": "function", "function": {"name": name}} for name in ("h", "f")]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}
    fields = asked(tools=[tool("f"), tool("g"), tool("h")], tool_choice=choice)
    assert fields == {"tools": [tool("f"), tool("h")], **more}


def allowed(**fields: Any) -> dict[str, Any]:
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": fields}}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": "f"}, "tools"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [tool("f"), {"type": "function", "function": {}}]}, "tools[1].function.name"),
        ({"tools": [tool("f", parameters="p")]}, "tools[0].function.parameters"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        (allowed(mode="auto"), "tool_choice.allowed_tools.tools"),
        (allowed(tools=[]), "tool_choice.allowed_tools.mode"),
        (allowed(mode="auto", tools=["f"]), "tool_choice.allowed_tools.tools[0]"),
        ({"stop": 1}, "stop"),
        ({"stop": ["a", 1]}, "stop"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.schema",
        ),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort"),
        ({"thinking": True}, "thinking"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(**given)
    assert refused.value.param == param


def test_a_tool_that_is_chosen_but_not_offered_is_named() -> None:
    long = "g" * 200
    with pytest.raises(InvalidRequest) as refused:
        asked(tools=[tool("f")], tool_choice={"type": "function", "function": {"name": long}})
    assert refused.value.code == "invalid_value"
    assert refused.value.message == (
        f"Invalid 'tool_choice': it names the tool '{long[:100]}', which is not in 'tools'."
    )


# ---- Anything

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])
KINDS = st.sampled_from(["text", "image_url", "refusal", "document", "function", "allowed_tools"])
PART = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional=dict.fromkeys(("text", "image_url", "refusal", "document", "function"), JSON),
)
MESSAGE = st.fixed_dictionaries(
    {"role": ROLES | JSON},
    optional={
        "content": JSON | st.lists(PART | JSON, max_size=3),
        "tool_calls": JSON | st.lists(PART | JSON, max_size=2),
        "tool_call_id": JSON,
        "reasoning_content": JSON,
    },
)
NAMES = (
    "stop", "top_p", "temperature", "max_tokens", "n", "response_format", "reasoning_effort",
    "thinking", "logprobs", "tool_choice", "tools", "presence_penalty", "documents", "what",
)  # fmt: skip
BODY = st.fixed_dictionaries(
    {"messages": JSON | st.lists(MESSAGE, max_size=3)},
    optional={name: JSON | PART | st.lists(PART, max_size=2) for name in NAMES},
)


@given(BODY, st.booleans())
def test_any_body_is_sent_or_refused(body: dict[str, Any], drop: bool) -> None:
    with suppress(InvalidRequest):
        assert sent(body, drop_params=drop)["model"] == MODEL


@pytest.mark.parametrize("value", [2**70, "\ud800", object()])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        asked(seed=value)
