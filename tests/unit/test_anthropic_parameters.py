"""What becomes of OpenAI's parameters at Anthropic: told, refused by name, or dropped on request."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.providers.anthropic.answer_format import ANSWER_TOOL
from nightmail.providers.anthropic.schema import supported_schema
from nightmail.providers.conversion.claude_abilities import Abilities, abilities_of

from tests.unit.machine import Json
from tests.unit.test_anthropic_requests import (
    ADAPTIVE,
    MODEL,
    NEW,
    OLD,
    QUESTION,
    THEIR_TOOL,
    THINKS_BY_BUDGET,
    TOOL,
    call,
    refusal,
    sent,
    text,
)

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
FORCED = {"tools": [TOOL], "tool_choice": "required"}
ONLY_JSON = "Answer with one JSON object and nothing else: no text around it, and no code fence."

# ---- Refused, dropped, or without effect


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"1": 1}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", 0.5),
        ("seed", 1),
        ("store", True),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("prediction", {"type": "content"}),
        ("verbosity", "low"),
        ("metadata", {"a": "b"}),
        ("prompt_cache_key", "x"),
        ("web_search_options", {"a": "b"}),
        ("service_tier", "flex"),
        ("temperature", 1.5),
        ("stop", "\n"),
        ("something_new", 1),
    ],
)
def test_what_anthropic_has_not_is_refused_by_name_or_dropped(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert (error.param, error.code) == (name, "unsupported_parameter")
    assert f"'{name}'" in error.message
    assert sent(drop_params=True, **{name: value}) == sent()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("logprobs", False),
        ("presence_penalty", 0),
        ("frequency_penalty", 0.0),
        ("logit_bias", {}),
        ("store", False),
        ("modalities", ["text"]),
        ("temperature", 1),
        ("top_p", 1.0),
        ("stop", []),
        ("tools", []),
        ("parallel_tool_calls", False),
        ("tool_choice", "auto"),
        ("reasoning_effort", "none"),
        ("response_format", {"type": "text"}),
        ("user", ""),
    ],
)
def test_what_asks_for_the_default_changes_nothing(name: str, value: Any) -> None:
    assert sent(**{name: value}) == sent()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", "many"),
        ("max_completion_tokens", 1.5),
        ("temperature", -0.1),
        ("temperature", 2.5),
        ("temperature", "hot"),
        ("temperature", True),
        ("temperature", float("nan")),
        ("top_p", 1.1),
        ("top_k", 0.5),
        ("stop", 5),
        ("stop", ["a", 5]),
        ("user", 5),
        ("user", "x" * 513),
        ("reasoning_effort", "some"),
        ("thinking", "yes"),
        ("response_format", "json"),
    ],
)
def test_a_wrong_value_is_refused_even_where_parameters_are_dropped(name: str, value: Any) -> None:
    assert refusal(drop_params=True, **{name: value}).param == name


# ---- One by one


def test_the_new_name_of_the_limit_goes_before_the_old_one() -> None:
    assert sent(max_tokens=5)["max_tokens"] == 5
    assert sent(max_tokens=5, max_completion_tokens=7)["max_tokens"] == 7


def test_one_stop_is_a_list_of_one() -> None:
    assert sent(stop="END")["stop_sequences"] == ["END"]


def test_stops_that_can_be_seen_stay_where_the_others_are_dropped() -> None:
    assert sent(drop_params=True, stop=["END", " "])["stop_sequences"] == ["END"]


@pytest.mark.parametrize("user", ["ada@example.com", "+49 (170) 555-0100"])
def test_a_user_that_tells_a_person_is_kept_from_anthropic(user: str) -> None:
    assert sent(user=user) == sent()


def test_the_newer_name_of_the_user_goes_before_the_old_one() -> None:
    request = sent(user="old", safety_identifier="new")
    assert request["metadata"] == {"user_id": "new"}


@pytest.mark.parametrize(("tier", "theirs"), [("auto", "auto"), ("default", "standard_only")])
def test_service_tiers_have_other_names_there(tier: str, theirs: str) -> None:
    assert sent(service_tier=tier)["service_tier"] == theirs


@pytest.mark.parametrize("given", [{"temperature": 0.5}, {"top_p": 0.9}, {"top_k": 5}])
def test_newer_models_take_no_sampling_parameters(given: Json) -> None:
    (name,) = given
    assert sent(ADAPTIVE, **given)[name] == given[name]
    assert refusal(NEW, **given).param == name
    assert sent(NEW, drop_params=True, **given) == sent(NEW)


# ---- Thinking


@pytest.mark.parametrize(
    ("effort", "budget"), [("minimal", 1024), ("low", 1024), ("medium", 2048), ("max", 16384)]
)
def test_an_effort_is_a_budget_beside_the_room_for_the_answer(effort: str, budget: int) -> None:
    request = sent(reasoning_effort=effort)
    assert request["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert request["max_tokens"] == budget + 4096


@pytest.mark.parametrize(("limit", "budget"), [(1025, 1024), (3000, 1500), (100_000, 4096)])
def test_thoughts_take_half_of_a_limit_at_most_but_no_less_than_they_may(
    limit: int, budget: int
) -> None:
    request = sent(reasoning_effort="high", max_completion_tokens=limit)
    assert request["thinking"]["budget_tokens"] == budget
    assert request["max_tokens"] == limit


@pytest.mark.parametrize(("effort", "theirs"), [("minimal", "low"), ("xhigh", "xhigh")])
def test_newer_models_are_told_the_effort_itself(effort: str, theirs: str) -> None:
    request = sent(ADAPTIVE, reasoning_effort=effort, max_tokens=100)
    assert request["thinking"] == {"type": "adaptive"}
    assert request["output_config"] == {"effort": theirs}
    assert request["max_tokens"] == 100
    assert sent(ADAPTIVE, reasoning_effort="max")["max_tokens"] == 16384 + 4096


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (OLD, {}),
        (MODEL, {"max_tokens": 1024}),
        (MODEL, FORCED),
        (ADAPTIVE, FORCED),
        (THINKS_BY_BUDGET, {"response_format": STRUCTURED}),
        (MODEL, {"thinking": {"type": "disabled"}}),
    ],
)
def test_an_effort_that_cannot_be_made_is_refused_or_dropped(model: str, body: Json) -> None:
    assert refusal(model, reasoning_effort="low", **body).param == "reasoning_effort"
    dropped = sent(model, drop_params=True, reasoning_effort="low", **body)
    assert dropped == sent(model, **body)


@pytest.mark.parametrize("given", [{"temperature": 0.5}, {"top_p": 0.9}, {"top_k": 5}])
def test_a_model_that_thinks_takes_no_sampling_parameters(given: Json) -> None:
    (name,) = given
    assert refusal(reasoning_effort="low", **given).param == name
    dropped = sent(drop_params=True, reasoning_effort="low", **given)
    assert dropped == sent(reasoning_effort="low")


def test_a_top_p_near_one_goes_with_thoughts_and_with_new_models() -> None:
    assert sent(reasoning_effort="low", top_p=0.95)["top_p"] == 0.95
    assert sent(NEW, top_p=0.99)["top_p"] == 0.99
    assert refusal(NEW, top_p=0.98).param == "top_p"


def test_anthropics_own_thinking_is_passed_on_with_room_for_its_budget() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    request = sent(thinking=thinking)
    assert (request["thinking"], request["max_tokens"]) == (thinking, 6096)
    assert refusal(thinking=thinking, temperature=0.5).param == "temperature"
    assert sent(thinking={"type": "disabled"}, temperature=0.5)["temperature"] == 0.5
    assert sent(thinking={"type": "adaptive"}, max_tokens=9)["max_tokens"] == 9


def test_a_model_with_a_budget_does_not_think_on_after_calls_whose_thoughts_are_lost() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    calls = {"role": "assistant", "tool_calls": [call("a")]}
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    body: Json = {"tools": [TOOL], "reasoning_effort": "low"}
    lost = [QUESTION, calls, result]
    kept = [QUESTION, {**calls, "thinking_blocks": [thought]}, result]
    assert "thinking" not in sent(messages=lost, **body)
    assert "thinking" in sent(messages=kept, **body)
    assert "thinking" in sent(ADAPTIVE, messages=lost, **body)
    answered = [*lost, {"role": "assistant", "content": "One."}, QUESTION]
    assert "thinking" in sent(messages=answered, **body)


# ---- Answers in JSON


def test_json_of_a_schema_is_anthropics_own_structured_output() -> None:
    request = sent(response_format=STRUCTURED)
    assert request == {
        **sent(),
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


def test_an_effort_and_a_format_share_their_place() -> None:
    request = sent(ADAPTIVE, response_format=STRUCTURED, reasoning_effort="low")
    assert request["output_config"]["effort"] == "low"
    assert request["output_config"]["format"]["schema"] == SCHEMA


def test_a_json_object_is_asked_for_behind_the_callers_own_instructions() -> None:
    messages = [{"role": "system", "content": "Be brief."}, QUESTION]
    request = sent(messages=messages, response_format={"type": "json_object"})
    assert request["system"] == [text("Be brief."), text(ONLY_JSON)]


ANSWER = {
    "name": ANSWER_TOOL,
    "description": "Gives the answer to the user.",
    "input_schema": SCHEMA,
}
TO_ANSWER = {"type": "tool", "name": ANSWER_TOOL}


@pytest.mark.parametrize(
    ("given", "tools", "choice"),
    [
        ({}, [ANSWER], TO_ANSWER),
        ({"tools": [TOOL]}, [THEIR_TOOL, ANSWER], {"type": "any"}),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            [THEIR_TOOL, ANSWER],
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, [THEIR_TOOL, ANSWER], TO_ANSWER),
        (FORCED, [THEIR_TOOL], {"type": "any"}),
    ],
)
def test_an_older_model_gives_json_of_a_schema_as_the_input_of_a_tool(
    given: Json, tools: list[Json], choice: Json
) -> None:
    request = sent(OLD, response_format=STRUCTURED, **given)
    assert "output_config" not in request
    assert (request["tools"], request["tool_choice"]) == (tools, choice)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "response_format.type"),
        ({"type": "yaml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {}}, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"schema": []}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_what_is_wrong_about_a_format_is_named(given: Json, param: str) -> None:
    assert refusal(response_format=given).param == param
    assert refusal(OLD, response_format=given).param == param


def test_a_schema_loses_what_anthropic_refuses_and_its_description_tells() -> None:
    schema = {
        "type": "object",
        "description": "A pair.",
        "minProperties": 1,
        "properties": {
            "minimum": {"type": "number", "minimum": 1, "maximum": 2},
            "kind": {"oneOf": [{"type": "string", "minLength": 1}, {"const": {"not": 1}}]},
            "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        },
        "additionalProperties": True,
        "$defs": {"item": {"properties": {"a": True}}},
    }
    assert supported_schema(schema, "schema") == {
        "type": "object",
        "description": 'A pair.\n\n{"minProperties":1}',
        "properties": {
            "minimum": {"type": "number", "description": '{"minimum":1,"maximum":2}'},
            "kind": {
                "anyOf": [
                    {"type": "string", "description": '{"minLength":1}'},
                    {"const": {"not": 1}},
                ]
            },
            "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        },
        "additionalProperties": False,
        "$defs": {"item": {"properties": {"a": True}, "additionalProperties": False}},
    }


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    schema: Json = {"type": "array"}
    for _ in range(3000):
        schema = {"type": "array", "items": schema}
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert refusal(response_format=wanted).param == "response_format.json_schema.schema"


# ---- Models

FOREVER_OLD = Abilities(
    adaptive_thinking=False, budgeted_thinking=False, schemas=False, sampling=True
)
BUDGETED = Abilities(adaptive_thinking=False, budgeted_thinking=True, schemas=False, sampling=True)
HELD = Abilities(adaptive_thinking=False, budgeted_thinking=True, schemas=True, sampling=True)
ADAPTS = Abilities(adaptive_thinking=True, budgeted_thinking=False, schemas=True, sampling=True)
NEWEST = Abilities(adaptive_thinking=True, budgeted_thinking=False, schemas=True, sampling=False)


@pytest.mark.parametrize(
    ("model", "abilities"),
    [
        ("claude-2", FOREVER_OLD),
        ("claude-instant-1.2", FOREVER_OLD),
        ("claude-3-haiku-20240307", FOREVER_OLD),
        ("claude-3-5-sonnet-latest", FOREVER_OLD),
        ("claude-3-7-sonnet-20250219", BUDGETED),
        ("claude-opus-4-20250514", BUDGETED),
        ("claude-opus-4-1-20250805", BUDGETED),
        ("claude-sonnet-4-5", HELD),
        ("claude-sonnet-4.5", HELD),
        ("claude-haiku-4-5-20251001", HELD),
        ("claude-opus-4-6", ADAPTS),
        ("claude-opus-4-7", NEWEST),
        ("Claude-Sonnet-5", NEWEST),
        ("claude-fable-5-1", NEWEST),
        ("claude-opus-10-20290101", NEWEST),
        ("claude-mythos-preview", ADAPTS),
        ("claude-mythos-20260401", ADAPTS),
        ("our-own-model-3", ADAPTS),
    ],
)
def test_a_models_name_tells_its_generation(model: str, abilities: Abilities) -> None:
    assert abilities_of(model) == abilities
