"""Anthropic's adapters against the simulator, on a real socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.engine.call import Call
from nightmail.errors import ProviderRejected
from nightmail.providers.registry import open_provider

from local.simulator.client import SimulatorClient
from tests.unit.adapters.asked import text_of
from tests.unit.adapters.cases import CHAT, KEY, QUESTION
from tests.unit.native.anthropic_samples import ANTHROPIC
from tests.unit.native.cases import TAG, intent
from tests.unit.simulated_calls import answer, call_to, stream

MODEL = "claude-sonnet-4-5"


def call_of(simulator: SimulatorClient, body: Mapping[str, Any], model: str = MODEL) -> Call:
    return call_to(simulator, "anthropic", model, body)


def test_a_schema_holds_an_older_model_too(simulator: SimulatorClient) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    call = call_of(simulator, {"messages": QUESTION, "response_format": wanted}, "claude-2.1")
    (whole,) = answer(call)["choices"]
    assert whole["finish_reason"] == "stop"
    assert whole["message"]["content"].startswith('{"a":')
    assert text_of(stream(call)).replace(" ", "") == whole["message"]["content"].replace(" ", "")


def test_thoughts_are_answered_and_counted(simulator: SimulatorClient) -> None:
    body = {"messages": QUESTION, "reasoning_effort": "low"}
    counted = {**body, "stream_options": {"include_usage": True}}
    whole = answer(call_of(simulator, body))
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    assert stream(call_of(simulator, counted))[-1]["usage"] == whole["usage"]


def test_a_call_that_anthropic_refuses_keeps_its_words(simulator: SimulatorClient) -> None:
    tool = {"type": "function", "function": {"name": "not a name"}}
    with pytest.raises(ProviderRejected, match=r"tools\.0") as caught:
        answer(call_of(simulator, {"messages": QUESTION, "tools": [tool]}))
    assert caught.value.http_status == 400


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_base_of_batches_may_end_with_the_version_or_without(
    simulator: SimulatorClient, path: str
) -> None:
    base = simulator.base_of("anthropic") + path
    provider = open_provider(ANTHROPIC.deployment(api_base=base), KEY)
    identity = provider.submit("", ANTHROPIC.shard_input(), CHAT, TAG)
    assert [batch["id"] for batch in simulator.batches()] == [identity]


def test_batches_want_a_key(simulator: SimulatorClient) -> None:
    deployment = ANTHROPIC.deployment(api_base=simulator.base_of("anthropic"))
    assert open_provider(deployment, KEY).find(intent()) == []
    with pytest.raises(ProviderRejected):
        open_provider(deployment, None).find(intent())
