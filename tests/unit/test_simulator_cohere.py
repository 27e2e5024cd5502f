"""The provider simulator as Cohere: what it refuses, what it answers, and its streams."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator

import httpx
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import KEY, Json, events_of, tool

CALL = {"id": "f_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "f_1", "content": "Rain."}
USER = {"role": "user", "content": "Hi"}


@pytest.fixture
def http(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    base_url = f"{simulator.base_of('cohere')}/v2"
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        yield http


def ask(http: httpx.Client, text: str = "Hi", **more: object) -> httpx.Response:
    messages = [{"role": "user", "content": text}]
    return http.post("/chat", json={"model": "command-a", "messages": messages, **more})


def embed(http: httpx.Client, **more: object) -> httpx.Response:
    return http.post("/embed", json={"model": "embed-v4", "input_type": "search_document", **more})


def test_an_answer_carries_the_digest_of_its_request(http: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "What is a batch?"}]}
    answer = http.post("/chat", json={"model": "command-a", **body}).raise_for_status().json()

    (part,) = answer["message"]["content"]
    assert part["text"].endswith(f"[sim {digest(body)}]")
    assert answer["finish_reason"] == "COMPLETE"


def test_usage_bills_less_than_was_read(http: httpx.Client) -> None:
    usage = ask(http, "one [[cached:7]]").json()["usage"]

    assert usage["billed_units"]["input_tokens"] == 9
    assert usage["tokens"]["input_tokens"] > 9
    assert usage["cached_tokens"] == 7


@pytest.mark.parametrize(
    ("text", "more", "finish_reason"),
    [
        ("[[long:9]]", {"max_tokens": 2}, "MAX_TOKENS"),
        ("[[long:9]]", {"stop_sequences": ["word3"]}, "STOP_SEQUENCE"),
        ("[[empty]]", {}, "COMPLETE"),
        ("[[filter]]", {}, "ERROR"),
        ("[[refusal]]", {}, "ERROR"),
    ],
)
def test_an_answer_tells_why_it_ends(
    http: httpx.Client, text: str, more: Json, finish_reason: str
) -> None:
    answer = ask(http, text, **more).json()

    assert answer["finish_reason"] == finish_reason
    assert ("content" in answer["message"]) is bool(more)


@pytest.mark.parametrize(
    ("text", "more", "names"),
    [
        ("Hi", {"tool_choice": "REQUIRED"}, ["get_weather"]),
        ("[[tool:2]]", {}, ["get_weather", "get_time"]),
        ("[[tool:2]]", {"tool_choice": "NONE"}, []),
        ("Hi", {}, []),
    ],
)
def test_tools_are_called_when_it_is_asked_for(
    http: httpx.Client, text: str, more: Json, names: list[str]
) -> None:
    answer = ask(http, text, tools=[tool(), tool("get_time")], **more).raise_for_status().json()
    calls = answer["message"].get("tool_calls", [])

    assert [call["function"]["name"] for call in calls] == names
    assert all(json.loads(call["function"]["arguments"]) for call in calls)
    assert ("tool_plan" in answer["message"]) is bool(names)
    assert answer["finish_reason"] == ("TOOL_CALL" if names else "COMPLETE")


def test_an_answer_in_json_has_its_schema(http: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    answer = ask(http, response_format={"type": "json_object", "json_schema": schema}).json()

    assert json.loads(answer["message"]["content"][0]["text"])["a"] == 1


def test_thinking_is_shown_before_the_answer(http: httpx.Client) -> None:
    answer = ask(http, thinking={"type": "enabled", "token_budget": 5}).raise_for_status().json()

    assert [part["type"] for part in answer["message"]["content"]] == ["thinking", "text"]
    assert answer["message"]["content"][0]["thinking"] == "word1 word2 word3 word4 word5"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Hi [[long:5]]", {}),
        ("[[tool:2]]", {"tools": [tool(), tool("get_time")]}),
        ("Hi", {"thinking": {"type": "enabled"}}),
    ],
)
def test_a_stream_adds_up_to_the_plain_answer(http: httpx.Client, text: str, more: Json) -> None:
    plain = ask(http, text, **more).raise_for_status().json()
    streamed = ask(http, text, **more, stream=True).raise_for_status()
    events = events_of(streamed.text)

    built: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
    for event in events:
        if "message" in event.get("delta", {}):
            add(built, event["type"], event["delta"]["message"])

    assert {name: value for name, value in built.items() if value} == plain["message"]
    assert events[0]["type"] == "message-start"
    end = {"finish_reason": plain["finish_reason"], "usage": plain["usage"]}
    assert events[-1] == {"type": "message-end", "id": plain["id"], "delta": end}
    assert streamed.text.endswith("data: [DONE]\n\n")


def add(built: Json, kind: str, delta: Json) -> None:
    match kind:
        case "content-start":
            built["content"].append(delta["content"])
        case "content-delta":
            for name, piece in delta["content"].items():
                built["content"][-1][name] += piece
        case "tool-plan-delta":
            built["tool_plan"] += delta["tool_plan"]
        case "tool-call-start":
            built["tool_calls"].append(delta["tool_calls"])
        case "tool-call-delta":
            piece = delta["tool_calls"]["function"]["arguments"]
            built["tool_calls"][-1]["function"]["arguments"] += piece


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"max_completion_tokens": 5}, 422, "'max_completion_tokens'"),
        ({"stop": ["x"]}, 422, "'stop'"),
        ({"messages": [{**USER, "name": "Ann"}]}, 422, "'messages.0.name'"),
        ({"model": None}, 400, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "developer", "content": "Hi"}]}, 400, "messages.0"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "at least 1 token"),
        ({"messages": [USER, {"role": "assistant", "content": "Hi"}]}, 400, "last message"),
        ({"messages": [USER, RESULT]}, 400, "matches no call"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER]}, 400, "missing"),
        ({"messages": [USER, {"role": "assistant"}, USER]}, 400, "content or tool_calls"),
        ({"tool_choice": "REQUIRED"}, 400, "tools"),
        ({"tools": [tool()], "tool_choice": "auto"}, 400, "tool_choice"),
        ({"tools": [tool()], "response_format": {"type": "json_object"}}, 400, "response_format"),
        ({"response_format": {"type": "json_schema"}}, 400, "response_format.type"),
        ({"stop_sequences": ["1", "2", "3", "4", "5", "6"]}, 400, "stop_sequences"),
        ({"p": 1.0}, 400, "p: "),
        ({"k": 501}, 400, "k: "),
        ({"presence_penalty": -1}, 400, "presence_penalty"),
    ],
)
def test_a_request_that_cohere_would_refuse_is_refused(
    http: httpx.Client, more: Json, status: int, words: str
) -> None:
    answer = ask(http, **more)

    assert answer.status_code == status
    assert answer.json().keys() == {"id", "message"}
    assert words in answer.json()["message"]


def test_results_of_tools_are_answered(http: httpx.Client) -> None:
    assistant = {"role": "assistant", "tool_calls": [CALL], "tool_plan": "I ask."}
    part = {"type": "document", "document": {"data": {"weather": "Rain."}}}
    for content in ("Rain.", [part]):
        messages = [USER, assistant, {**RESULT, "content": content}]
        assert ask(http, messages=messages, tools=[tool()]).status_code == 200


def test_embeddings_come_in_the_types_that_are_asked_for(http: httpx.Client) -> None:
    more = {"embedding_types": ["float", "base64"], "output_dimension": 256}
    answer = embed(http, texts=["a", "b b"], **more).raise_for_status().json()

    vectors = answer["embeddings"]["float"]
    packed = [base64.b64decode(one) for one in answer["embeddings"]["base64"]]
    assert [len(vector) for vector in vectors] == [256, 256]
    assert [list(struct.unpack("<256f", one)) for one in packed] == vectors
    assert answer["meta"]["billed_units"]["input_tokens"] == 3
    parts = [{"content": [{"type": "text", "text": "a"}]}]
    assert embed(http, inputs=parts).json()["embeddings"].keys() == {"float"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"texts": []},
        {"texts": ["a"] * 97},
        {"texts": ["a"], "inputs": [{"content": [{"type": "text", "text": "a"}]}]},
        {"texts": ["a"], "input_type": "query"},
        {"texts": ["a"], "input_type": None},
        {"texts": ["a"], "output_dimension": 7},
    ],
)
def test_a_wrong_request_for_embeddings_is_refused(http: httpx.Client, more: Json) -> None:
    assert embed(http, **more).status_code == 400


def test_a_call_without_a_bearer_key_is_refused(http: httpx.Client) -> None:
    answer = http.post("/chat", json={}, headers={"authorization": "", "x-api-key": KEY})

    assert answer.status_code == 401


@pytest.mark.parametrize("status", [429, 498, 503])
def test_a_prompt_can_ask_for_a_failure(http: httpx.Client, status: int) -> None:
    answer = ask(http, f"[[fail:{status}]]")

    assert answer.status_code == status
    assert answer.json()["message"]
