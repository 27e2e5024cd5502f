"""The provider simulator: what a model says, in OpenAI's words."""

from __future__ import annotations

import json

import pytest

from local.simulator.answers import digest
from tests.simulated import Json, Provider, chat, error_of, events_of, tool

TOOLS = [tool(), tool("get_time", zone={"type": "string", "enum": ["UTC"]})]
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def choice_of(provider: Provider, body: Json) -> Json:
    choice: Json = provider.ask(body).raise_for_status().json()["choices"][0]
    return choice


def calls_of(provider: Provider, body: Json) -> list[tuple[str, Json]]:
    """Name and arguments of each call; the answer has nothing else."""
    choice = choice_of(provider, body)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    functions = [call["function"] for call in choice["message"]["tool_calls"]]
    return [(function["name"], json.loads(function["arguments"])) for function in functions]


@pytest.mark.parametrize(
    ("text", "more", "names"),
    [
        ("Hi", {"tool_choice": "required"}, ["get_weather"]),
        (
            "Hi",
            {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
            ["get_time"],
        ),
        ("[[tool]]", {}, ["get_weather"]),
        ("[[tool:get_time]]", {"tool_choice": "auto"}, ["get_time"]),
        ("[[tool:3]]", {}, ["get_weather", "get_time", "get_weather"]),
        ("[[tool:3]]", {"parallel_tool_calls": False}, ["get_weather"]),
    ],
)
def test_tools_are_called_when_it_is_asked_for(
    provider: Provider, text: str, more: Json, names: list[str]
) -> None:
    calls = calls_of(provider, chat(text, tools=TOOLS, **more))

    assert [name for name, _ in calls] == names
    assert [arguments.keys() for _, arguments in calls] == [
        {"city"} if name == "get_weather" else {"zone"} for name in names
    ]


@pytest.mark.parametrize("more", [{"tools": TOOLS}, {"tools": TOOLS, "tool_choice": "none"}])
def test_tools_that_are_only_offered_are_not_called(provider: Provider, more: Json) -> None:
    text = "Hi" if "tool_choice" not in more else "[[tool]]"

    assert choice_of(provider, chat(text, **more))["finish_reason"] == "stop"


def test_an_answer_follows_the_results_of_tools(provider: Provider) -> None:
    body = chat("[[tool]] What is the weather?", tools=TOOLS)
    assistant = choice_of(provider, body)["message"]
    result = {**RESULT, "tool_call_id": assistant["tool_calls"][0]["id"]}

    answer = choice_of(provider, {**body, "messages": [*body["messages"], assistant, result]})

    assert "Rain." in answer["message"]["content"]


def test_a_stop_sequence_ends_an_answer(provider: Provider) -> None:
    answer = choice_of(provider, chat("[[long:9]]", stop=["word4", "word6"]))

    assert answer["message"]["content"].startswith("word1 word2 word3 [sim ")
    assert answer["finish_reason"] == "stop"


def test_usage_tells_cached_and_reasoning_tokens(provider: Provider) -> None:
    body = chat("one [[cached:40:5]]", reasoning_effort="low")
    usage = provider.ask(body).json()["usage"]

    assert usage["prompt_tokens"] == 2 + 40 + 5
    assert usage["prompt_tokens_details"]["cached_tokens"] == 40
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert provider.ask(chat("[[think:9]]")).json()["usage"]["completion_tokens"] >= 9


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("empty", ("", None, "stop")),
        ("refusal", (None, "I can't help with that.", "stop")),
        ("filter", ("", None, "content_filter")),
    ],
)
@pytest.mark.parametrize("by", ["marker", "fault"])
def test_an_answer_can_be_withheld(
    provider: Provider, by: str, how: str, expected: tuple[str | None, str | None, str]
) -> None:
    if by == "fault":
        provider.simulator.behave({"kind": "withheld", "how": how})
    choice = choice_of(provider, chat(f"[[{how}]]" if by == "marker" else "Hi"))

    message = choice["message"]
    assert (message["content"], message["refusal"], choice["finish_reason"]) == expected


def test_an_answer_in_json_keeps_to_a_closed_schema(provider: Provider) -> None:
    properties = {"why": {"type": "string"}, "count": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    body = chat(
        "Hi",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )

    answer = json.loads(choice_of(provider, body)["message"]["content"])

    assert answer.keys() == {"why", "count"}
    assert answer["why"].endswith(f"[sim {digest(body)}]")


def test_a_stream_of_tool_calls_adds_up(provider: Provider) -> None:
    body = chat("[[tool:2]]", tools=TOOLS)
    expected = choice_of(provider, body)["message"]["tool_calls"]
    chunks = events_of(provider.ask({**body, "stream": True}).text)

    joined: dict[int, Json] = {}
    for chunk in chunks:
        for piece in chunk["choices"][0]["delta"].get("tool_calls", []):
            if "id" in piece:
                joined[piece["index"]] = piece
            else:
                arguments = piece["function"]["arguments"]
                joined[piece["index"]]["function"]["arguments"] += arguments

    assert [{**joined[index]} for index in (0, 1)] == [
        {"index": index, **call} for index, call in enumerate(expected)
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_server_that_is_not_openai_takes_more_and_tells_more(provider: Provider) -> None:
    base = provider.simulator.base_of("deepseek")
    body = chat("[[think:3]]", top_k=5)

    answer = provider.http.post(f"{base}/chat/completions", json=body).raise_for_status().json()
    streamed = provider.http.post(f"{base}/chat/completions", json={**body, "stream": True})

    assert answer["choices"][0]["message"]["reasoning_content"] == "word1 word2 word3"
    deltas = [chunk["choices"][0]["delta"] for chunk in events_of(streamed.text)]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "word1 word2 word3"
    assert error_of(provider.ask(body))["code"] == "unknown_parameter"


@pytest.mark.parametrize("name", ["groq", "mistral"])
def test_some_servers_stream_usage_with_the_finish_reason(provider: Provider, name: str) -> None:
    base = provider.simulator.base_of(name)
    streamed = provider.http.post(f"{base}/chat/completions", json=chat("Hi", stream=True))

    *before, last = events_of(streamed.text)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] > 0
    assert not any("usage" in chunk for chunk in before)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"heat": 1}, "heat"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"n": 129}, "n"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls"),
        ({"tools": []}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [tool("no spaces")]}, "tools[0].function.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "human", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "user", "content": "Hi", "id": 1}]}, "messages[0].id"),
        ({"messages": [{"role": "assistant"}]}, "messages[0].content"),
        ({"messages": [RESULT]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}, {"role": "user", "content": "Hi"}]}, "messages"),
    ],
)  # fmt: skip
def test_a_request_that_openai_would_refuse_is_refused(
    provider: Provider, more: Json, param: str
) -> None:
    answer = provider.ask({**chat("Hi"), **more})

    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/embeddings", {"model": "m", "input": ""}, "input"),
        ("/embeddings", {"model": "m", "input": ["a", ""]}, "input[1]"),
        ("/embeddings", {"model": "m", "input": ["a"] * 2049}, "input"),
        ("/embeddings", {"model": "m", "input": "a", "input_type": "query"}, "input_type"),
        ("/completions", {"model": "m", "prompt": "a", "messages": []}, "messages"),
        ("/responses", {"model": "m", "input": "a", "max_tokens": 3}, "max_tokens"),
        ("/responses", {"model": "m", "input": "a", "stream": True}, "stream"),
        ("/moderations", {"model": "m"}, "input"),
    ],
)
def test_other_endpoints_refuse_what_is_not_theirs(
    provider: Provider, path: str, body: Json, param: str
) -> None:
    answer = provider.http.post(path, json=body)

    assert (answer.status_code, error_of(answer)["param"]) == (400, param)


def test_a_response_that_is_cut_is_incomplete(provider: Provider) -> None:
    body = {"model": "m", "input": "Hi", "max_output_tokens": 2}
    answer = provider.http.post("/responses", json=body).json()

    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ],
)
def test_every_kind_of_content_is_taken(provider: Provider, part: Json) -> None:
    body = chat("Hi") | {"messages": [{"role": "user", "content": [part]}]}

    assert provider.ask(body).status_code == 200
