"""The provider simulator as Anthropic: what it answers, and its streams."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import Json, error_of, events_of
from tests.simulated_providers import anthropic_client, message
from tests.simulated_providers import ask_anthropic as ask

TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {}}}}
OTHER = {"name": "get_time", "input_schema": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    with anthropic_client(simulator) as http:
        yield http


def test_an_answer_carries_the_digest_of_its_request(http: httpx.Client) -> None:
    body = message("What is a batch?", system="Be brief.")
    answer = http.post("/v1/messages", json=body).raise_for_status()

    (block,) = answer.json()["content"]
    assert block["text"].endswith(f"[sim {digest(body)}]")
    assert answer.json()["model"] == "claude-haiku-4-5-2026-01-01"
    assert answer.json()["stop_reason"] == "end_turn"
    assert answer.headers["request-id"].startswith("req_")


def test_usage_counts_what_is_cached_beside_the_input(http: httpx.Client) -> None:
    usage = ask(http, "one [[cached:40:5]]", system="two words").json()["usage"]

    assert usage["input_tokens"] == 4
    assert usage["cache_read_input_tokens"] == 40
    assert usage["cache_creation_input_tokens"] == 5


@pytest.mark.parametrize(
    ("more", "stop_reason", "stop_sequence"),
    [
        ({"max_tokens": 2}, "max_tokens", None),
        ({"stop_sequences": ["word6", "word3"]}, "stop_sequence", "word3"),
    ],
)
def test_an_answer_ends_where_it_has_to(
    http: httpx.Client, more: Json, stop_reason: str, stop_sequence: str | None
) -> None:
    answer = ask(http, "[[long:9]]", **more).json()

    assert (answer["stop_reason"], answer["stop_sequence"]) == (stop_reason, stop_sequence)
    assert answer["content"][0]["text"].startswith("word1 word2 [sim ")


@pytest.mark.parametrize(
    ("text", "choice", "names"),
    [
        ("Hi", {"type": "any"}, ["get_weather"]),
        ("Hi", {"type": "tool", "name": "get_time"}, ["get_time"]),
        ("[[tool:2]]", {"type": "auto"}, ["get_weather", "get_time"]),
        ("[[tool:2]]", {"type": "auto", "disable_parallel_tool_use": True}, ["get_weather"]),
        ("[[tool:2]]", {"type": "none"}, []),
        ("Hi", None, []),
    ],
)
def test_tools_are_called_when_it_is_asked_for(
    http: httpx.Client, text: str, choice: Json | None, names: list[str]
) -> None:
    more = {"tool_choice": choice} if choice else {}
    answer = ask(http, text, tools=[TOOL, OTHER], **more).raise_for_status().json()

    assert [block["name"] for block in answer["content"] if block["type"] == "tool_use"] == names
    assert answer["stop_reason"] == ("tool_use" if names else "end_turn")


def test_thinking_is_shown_before_the_answer(http: httpx.Client) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = ask(http, thinking=thinking).raise_for_status().json()

    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]
    assert answer["usage"]["output_tokens_details"]["thinking_tokens"] == 16
    low = ask(http, thinking={"type": "adaptive"}, output_config={"effort": "low"}).json()
    assert low["usage"]["output_tokens_details"]["thinking_tokens"] == 8


def test_an_answer_in_json_has_its_schema(http: httpx.Client) -> None:
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    answer = ask(http, output_config=form).raise_for_status().json()

    assert json.loads(answer["content"][0]["text"]).keys() == {"a"}


@pytest.mark.parametrize(
    ("how", "stop_reason"),
    [("empty", "end_turn"), ("refusal", "refusal"), ("filter", "refusal")],
)
def test_an_answer_can_be_withheld(http: httpx.Client, how: str, stop_reason: str) -> None:
    answer = ask(http, f"[[{how}]]").json()

    assert (answer["content"], answer["stop_reason"]) == ([], stop_reason)
    assert (answer["stop_details"] is None) is (how == "empty")


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "user", "content": "Hi [[long:5]]"}]},
        {"messages": [{"role": "user", "content": "[[tool:2]]"}], "tools": [TOOL, OTHER]},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ],
)
def test_a_stream_adds_up_to_the_plain_answer(http: httpx.Client, more: Json) -> None:
    plain = ask(http, **more).raise_for_status().json()
    streamed = ask(http, **more, stream=True).raise_for_status()
    events = events_of(streamed.text)

    built = events[0]["message"]
    for event in events:
        match event:
            case {"type": "content_block_start", "content_block": block}:
                built["content"].append(block | {"written": ""})
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                add(built["content"][index], delta)
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                built |= delta
                built["usage"] |= usage
    for block in built["content"]:
        if written := block.pop("written"):
            block["input"] = json.loads(written)

    assert built == plain
    assert [event["type"] for event in events[:2]] == ["message_start", "ping"]
    assert events[-1] == {"type": "message_stop"}
    names = [line for line in streamed.text.splitlines() if line.startswith("event: ")]
    assert names == [f"event: {event['type']}" for event in events]


def add(block: Json, delta: Json) -> None:
    match delta:
        case {"partial_json": piece}:
            block["written"] += piece
        case {"signature": signature}:
            block["signature"] = signature
        case {"type": kind}:
            name = kind.removesuffix("_delta")
            block[name] += delta[name]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (529, "overloaded_error")],
)
def test_a_prompt_can_ask_for_a_failure(http: httpx.Client, status: int, kind: str) -> None:
    answer = ask(http, f"[[fail:{status}]]")

    assert (answer.status_code, error_of(answer)["type"]) == (status, kind)
    assert ("retry-after" in answer.headers) is (status == 429)
