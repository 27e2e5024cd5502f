"""Whole requests, held against the published description of Anthropic and against the simulator."""

from __future__ import annotations

import pytest
from nightmail.providers.anthropic.provider import VERSION

from local.simulator.anthropic.checks import check
from tests.unit.adapters.cases import FEATURES, Feature
from tests.unit.adapters.documents import check_request
from tests.unit.machine import Json
from tests.unit.test_anthropic_requests import ADAPTIVE, MODEL, NEW, OLD, QUESTION, TOOL, call, sent

MARK = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
STRUCTURED = {
    "type": "json_schema",
    "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"a": {"minimum": 1}}}},
}
FILES = [
    {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,QUJD"}, **MARK},
    {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
    {"type": "file", "file": {"filename": "a", "file_data": "data:application/pdf;base64,JVBE"}},
    {"type": "file", "file": {"file_data": "data:text/plain;base64,QUJD"}},
    {"type": "file", "file": {"file_data": "https://a.example/b.pdf"}, **MARK},
]
CALLED = [
    {"role": "assistant", "content": "Welcome.", **MARK},
    QUESTION,
    {
        "role": "assistant",
        "content": None,
        "thinking_blocks": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eA=="},
        ],
        "tool_calls": [call("a.b:1", '{"a":1}'), call("c")],
    },
    {"role": "tool", "tool_call_id": "a.b:1", "content": "1", **MARK},
    {"role": "tool", "tool_call_id": "c", "content": ""},
]


CASES: list[tuple[str, Json]] = [
    (MODEL, {"messages": [{"role": "system", "content": "Be brief.", **MARK}, QUESTION]}),
    (MODEL, {"messages": [{"role": "user", "content": FILES}]}),
    (MODEL, {"messages": CALLED}),
    (MODEL, {"messages": CALLED, "tools": [TOOL], "reasoning_effort": "high"}),
    (ADAPTIVE, {"reasoning_effort": "minimal", "response_format": STRUCTURED}),
    (OLD, {"response_format": STRUCTURED, "tools": [TOOL], "parallel_tool_calls": False}),
    (MODEL, {"functions": [TOOL["function"]], "function_call": {"name": "add"}}),
    (MODEL, {"tools": [{**TOOL, **MARK}], "tool_choice": "none"}),
    (MODEL, {"tools": [{"type": "function", "function": {"name": "now", "strict": True}}]}),
    (
        MODEL,
        {"temperature": 0, "top_p": 0.5, "top_k": 3, "stop": "END", "user": "u", **MARK},
    ),
    (MODEL, {"service_tier": "default", "inference_geo": "us", "container": "c"}),
]


@pytest.mark.parametrize(("model", "body"), CASES)
def test_a_request_is_described(model: str, body: Json) -> None:
    check_request("anthropic.trimmed.openapi.yaml", "/v1/messages", sent(model, **body))


@pytest.mark.parametrize(("model", "body"), CASES)
def test_a_request_breaks_no_rule_of_the_simulator(model: str, body: Json) -> None:
    check(VERSION, sent(model, **body))


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
@pytest.mark.parametrize("model", [OLD, MODEL, ADAPTIVE, NEW])
def test_a_feature_breaks_no_rule_of_the_simulator(model: str, feature: Feature) -> None:
    check(VERSION, sent(model, **feature.body))
