"""How hard to think and how to sample, in the words of each family of models that Bedrock has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.bedrock.provider import BedrockProvider
from nightmail.providers.direct import JsonObject

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, QUESTION
from tests.unit.simulated_calls import answer, call_to

BY_BUDGET = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ADAPTIVE = "eu.anthropic.claude-opus-4-6-v1"
SILENT = "anthropic.claude-3-5-sonnet-20240620-v1:0"
GPT_OSS, DEEPSEEK = "openai.gpt-oss-120b-1:0", "deepseek.v3-v1:0"
NOVA = "amazon.nova-lite-v1:0"
OWN = "additionalModelRequestFields"
TOOL = {"type": "function", "function": {"name": "now"}}
CALL = {"id": "c", "type": "function", "function": {"name": "now", "arguments": ""}}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "noon"}


def sent(model: str, **parameters: Any) -> JsonObject:
    of = Deployment(name="public", provider="bedrock", model=model, aws_region_name="eu-west-1")
    body = {"messages": QUESTION, **parameters}
    content: JsonObject = json.loads(BedrockProvider(of, "key").request(CHAT, body).content)
    return content


def refusal(model: str, **parameters: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        sent(model, **parameters)
    return caught.value


def test_a_claude_model_is_told_for_how_many_tokens_to_think() -> None:
    told = sent(BY_BUDGET, reasoning_effort="high")
    assert told[OWN] == {"thinking": {"type": "enabled", "budget_tokens": 4096}}
    assert "inferenceConfig" not in told


def test_its_thoughts_get_half_of_a_limit() -> None:
    told = sent(BY_BUDGET, reasoning_effort="high", max_tokens=4000)
    assert told[OWN]["thinking"]["budget_tokens"] == 2000
    assert told["inferenceConfig"] == {"maxTokens": 4000}


def test_a_newer_one_is_told_how_hard() -> None:
    told = sent(ADAPTIVE, reasoning_effort="medium")
    assert told[OWN] == {"thinking": {"type": "adaptive"}}
    assert told["outputConfig"] == {"effort": "medium"}


def test_how_hard_stands_beside_a_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    held = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    told = sent(ADAPTIVE, reasoning_effort="low", response_format=held)
    assert told["outputConfig"].keys() == {"effort", "textFormat"}


def test_what_the_caller_says_in_the_models_own_words_goes_as_it_is() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert sent(BY_BUDGET, thinking=thinking)[OWN] == {"thinking": thinking}
    own = {"thinking": {"type": "disabled"}, "top_k": 3}
    assert sent(BY_BUDGET, reasoning_effort="low", **{OWN: own})[OWN] == own


@pytest.mark.parametrize("model", [SILENT, BY_BUDGET, ADAPTIVE])
def test_no_effort_is_no_thinking(model: str) -> None:
    assert sent(model, reasoning_effort="none") == sent(model)


@pytest.mark.parametrize(
    ("model", "parameters", "param"),
    [
        (SILENT, {"reasoning_effort": "low"}, "reasoning_effort"),
        (BY_BUDGET, {"reasoning_effort": "low", "max_tokens": 1024}, "reasoning_effort"),
        (
            BY_BUDGET,
            {"reasoning_effort": "low", "tools": [TOOL], "tool_choice": "required"},
            "reasoning_effort",
        ),
        (BY_BUDGET, {"reasoning_effort": "low", "temperature": 0.5}, "temperature"),
        (BY_BUDGET, {"reasoning_effort": "low", "top_k": 5}, "top_k"),
        (BY_BUDGET, {"temperature": 1.5}, "temperature"),
        (NOVA, {"temperature": 1.5}, "temperature"),
        (GPT_OSS, {"reasoning_effort": "none"}, "reasoning_effort"),
        (NOVA, {"parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name_or_dropped(
    model: str, parameters: dict[str, Any], param: str
) -> None:
    error = refusal(model, **parameters)
    assert (error.param, error.code) == (param, "unsupported_parameter")
    others = {name: value for name, value in parameters.items() if name != param}
    assert sent(model, drop_params=True, **parameters) == sent(model, **others)


@pytest.mark.parametrize("effort", ["much", 3])
@pytest.mark.parametrize("model", [BY_BUDGET, GPT_OSS])
def test_an_effort_that_is_none_is_refused(model: str, effort: Any) -> None:
    assert refusal(model, reasoning_effort=effort).param == "reasoning_effort"


def test_it_does_not_think_again_between_a_call_without_thoughts_and_its_result() -> None:
    said = {"role": "assistant", "tool_calls": [CALL]}
    thought = {"type": "thinking", "thinking": "Well.", "signature": "s"}
    with_thoughts = {**said, "thinking_blocks": [thought]}
    asked = {"tools": [TOOL], "reasoning_effort": "low"}
    assert OWN not in sent(BY_BUDGET, **asked, messages=[*QUESTION, said, RESULT])
    assert OWN in sent(BY_BUDGET, **asked, messages=[*QUESTION, with_thoughts, RESULT])


@pytest.mark.parametrize("model", [GPT_OSS, DEEPSEEK])
@pytest.mark.parametrize(
    ("effort", "told"), [("minimal", "low"), ("medium", "medium"), ("xhigh", "high")]
)
def test_others_know_three_efforts(model: str, effort: str, told: str) -> None:
    assert sent(model, reasoning_effort=effort, top_k=4)[OWN] == {
        "reasoning_effort": told,
        "top_k": 4,
    }


def test_a_model_that_is_not_known_is_told_what_the_caller_says() -> None:
    assert sent(NOVA, reasoning_effort="low")[OWN] == {"reasoning_effort": "low"}


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"disable_parallel_tool_use": True}),
    ],
)
def test_a_claude_model_calls_one_tool_at_a_time(choice: str, told: JsonObject) -> None:
    asked = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
    assert sent(BY_BUDGET, **asked)[OWN] == {"tool_choice": told}
    assert OWN not in sent(BY_BUDGET, **{**asked, "parallel_tool_calls": True})
    assert OWN not in sent(BY_BUDGET, parallel_tool_calls=False)


def test_sampling_is_converses_own() -> None:
    told = sent(NOVA, temperature=1, top_p=0.5)
    assert told["inferenceConfig"] == {"temperature": 1, "topP": 0.5}
    told = sent(BY_BUDGET, temperature=0.5, top_k=7)
    assert (told["inferenceConfig"], told[OWN]) == ({"temperature": 0.5}, {"top_k": 7})


@pytest.mark.parametrize("model", [BY_BUDGET, ADAPTIVE, GPT_OSS])
def test_converse_takes_what_they_are_told(simulator: SimulatorClient, model: str) -> None:
    asked = {"messages": QUESTION, "reasoning_effort": "high", "max_tokens": 3000}
    assert answer(call_to(simulator, "bedrock", model, asked))["choices"]
