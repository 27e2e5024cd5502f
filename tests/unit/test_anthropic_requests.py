"""OpenAI's chat requests as Anthropic's, pair by pair."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.anthropic.request import to_messages_request

from tests.unit.machine import Json

MODEL = "claude-sonnet-4-5-20250929"
OLD = "claude-2.1"
THINKS_BY_BUDGET = "claude-3-7-sonnet-20250219"
ADAPTIVE = "claude-opus-4-6"
NEW = "claude-sonnet-5"
QUESTION = {"role": "user", "content": "Hi"}
ASKED = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA},
}
THEIR_TOOL = {"name": "add", "description": "Adds.", "input_schema": SCHEMA}


def sent(model: str = MODEL, *, drop_params: bool = False, **body: Any) -> Json:
    deployment = Deployment(
        name="public", provider="anthropic", model=model, drop_params=drop_params
    )
    return to_messages_request({"messages": [QUESTION], **body}, deployment)


def turns(*messages: Json) -> list[Json]:
    result: list[Json] = sent(messages=list(messages))["messages"]
    return result


def refusal(model: str = MODEL, *, drop_params: bool = False, **body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        sent(model, drop_params=drop_params, **body)
    return caught.value


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def call(identity: str, arguments: str = "{}", name: str = "add") -> Json:
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def use(identity: str, given: Json | None = None, name: str = "add") -> Json:
    return {"type": "tool_use", "id": identity, "name": name, "input": given or {}}


# ---- The whole


def test_a_question_goes_out_with_the_providers_model_and_a_limit() -> None:
    assert sent() == {"model": MODEL, "max_tokens": 4096, "messages": [ASKED]}


def test_everything_at_once() -> None:
    deployment = Deployment(name="public", provider="anthropic", model=MODEL)
    request = to_messages_request(
        {
            "model": "public",
            "messages": [{"role": "system", "content": "Be brief."}, QUESTION],
            "max_tokens": 9,
            "max_completion_tokens": 50,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 7,
            "stop": ["END", "FIN"],
            "tools": [TOOL],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "user": "u-1",
            "service_tier": "default",
            "stream_options": {"include_usage": True},
            "stream": True,
            "cache_control": {"type": "ephemeral"},
            "n": 1,
        },
        deployment,
        stream=True,
    )
    assert request == {
        "model": MODEL,
        "max_tokens": 50,
        "system": [text("Be brief.")],
        "messages": [ASKED],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "stop_sequences": ["END", "FIN"],
        "tools": [THEIR_TOOL],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
        "stream": True,
        "cache_control": {"type": "ephemeral"},
    }


def test_a_parameter_of_null_is_one_that_was_not_given() -> None:
    assert sent(temperature=None, tools=None, stop=None, max_tokens=None, seed=None) == sent()


def test_what_the_caller_gave_is_left_as_it_was() -> None:
    first = {"role": "user", "content": [text("Hi")]}
    sent(messages=[first, {"role": "user", "content": "again"}])
    assert first == {"role": "user", "content": [text("Hi")]}


# ---- Messages


def test_instructions_from_anywhere_become_one_system_prompt_of_several_blocks() -> None:
    request = sent(
        messages=[
            {"role": "system", "content": "One."},
            QUESTION,
            {"role": "developer", "content": [text("Two."), text("Three.")]},
            {"role": "system", "content": "  "},
        ]
    )
    assert request["system"] == [text("One."), text("Two."), text("Three.")]
    assert request["messages"] == [ASKED]


def test_neighbours_of_one_role_become_one_turn() -> None:
    assert turns(
        QUESTION,
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "Yes"},
        {"role": "assistant", "content": [text("No")]},
    ) == [
        {"role": "user", "content": [text("Hi"), text("And?")]},
        {"role": "assistant", "content": [text("Yes"), text("No")]},
    ]


def test_a_conversation_that_the_assistant_begins_is_opened_by_the_user() -> None:
    assert turns({"role": "assistant", "content": "Welcome"}, QUESTION) == [
        {"role": "user", "content": [text(".")]},
        {"role": "assistant", "content": [text("Welcome")]},
        ASKED,
    ]


def test_what_the_model_is_to_go_on_with_ends_in_no_white_space() -> None:
    begun = {"role": "assistant", "content": [text("A \n"), text("B \n")]}
    assert turns(QUESTION, begun)[1]["content"] == [text("A \n"), text("B")]
    assert begun["content"][1] == text("B \n")
    assert turns({"role": "user", "content": "C "}) == [{"role": "user", "content": [text("C ")]}]


def test_blank_texts_are_left_out() -> None:
    assert turns(
        {"role": "user", "content": [text(""), text("Hi"), text(" \n")]},
        {"role": "assistant", "content": ""},
    ) == [ASKED]


@pytest.mark.parametrize(
    "messages", [[], [{"role": "user", "content": " "}], [{"role": "system", "content": "Hi"}]]
)
def test_a_conversation_without_content_is_refused(messages: list[Json]) -> None:
    error = refusal(messages=messages)
    assert error.param == "messages"
    assert "anthropic answers to at least one user message" in error.message


def test_tool_calls_and_their_results_become_blocks_and_results_come_in_one_turn() -> None:
    assert turns(
        QUESTION,
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [call("call_1", '{"a": 1}'), call("call_2", "")],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": [text("two"), text("three")]},
        {"role": "user", "content": "Well?"},
    )[1:] == [
        {
            "role": "assistant",
            "content": [text("Let me see."), use("call_1", {"a": 1}), use("call_2")],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [text("one")]},
                {
                    "type": "tool_result",
                    "tool_use_id": "call_2",
                    "content": [text("two"), text("three")],
                },
                text("Well?"),
            ],
        },
    ]


def test_an_empty_result_is_a_result() -> None:
    (_, _, result) = turns(
        QUESTION,
        {"role": "assistant", "tool_calls": [call("call_1")]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
    )
    assert result["content"] == [{"type": "tool_result", "tool_use_id": "call_1"}]


def test_ids_of_other_providers_are_put_into_anthropics_alphabet_on_both_sides() -> None:
    (_, asked, answered) = turns(
        QUESTION,
        {"role": "assistant", "tool_calls": [call("functions.add:0")]},
        {"role": "tool", "tool_call_id": "functions.add:0", "content": "1"},
    )
    assert asked["content"][0]["id"] == "functions_add_0"
    assert answered["content"][0]["tool_use_id"] == "functions_add_0"


def test_function_calls_of_old_get_an_id_that_their_results_share() -> None:
    (_, asked, answered) = turns(
        QUESTION,
        {"role": "assistant", "function_call": {"name": "add", "arguments": '{"a":1}'}},
        {"role": "function", "name": "add", "content": "1"},
    )
    identity = "messages_1__function_call"
    assert asked["content"] == [use(identity, {"a": 1})]
    assert answered["content"] == [
        {"type": "tool_result", "tool_use_id": identity, "content": [text("1")]}
    ]


def test_a_result_of_a_function_that_nobody_called_is_refused() -> None:
    messages = [QUESTION, {"role": "function", "name": "add", "content": "1"}]
    assert refusal(messages=messages).param == "messages[1].name"


def test_a_refusal_of_the_assistant_is_what_it_said() -> None:
    said = {"role": "assistant", "content": [text("I won't.")]}
    parts = [{"type": "refusal", "refusal": "I won't."}]
    assert turns(QUESTION, {"role": "assistant", "content": parts})[1] == said
    assert turns(QUESTION, {"role": "assistant", "content": None, "refusal": "I won't."})[1] == said


def test_thoughts_that_an_answer_gave_go_back_before_what_was_said() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    message = {"role": "assistant", "content": "Yes", "thinking_blocks": [thought, hidden]}
    assert turns(QUESTION, message)[1]["content"] == [thought, hidden, text("Yes")]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[0]"),
        ({"content": "Hi"}, "messages[0].role"),
        ({"role": "robot", "content": "Hi"}, "messages[0].role"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": ["Hi"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"text": "Hi"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "messages[0].content[0].text"),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "messages[0].content[0].type",
        ),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": "https://a/b"}]},
            "messages[0].content[0].type",
        ),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[0].audio"),
        ({"role": "assistant", "tool_calls": "x"}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [5]}, "messages[0].tool_calls[0]"),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "id": "a"}]},
            "messages[0].tool_calls[0].type",
        ),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "messages[0].tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "messages[0].tool_calls[0].function"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": 5}}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {"role": "assistant", "tool_calls": [call("a", "{half")]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [call("a", "[]")]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"role": "assistant", "thinking_blocks": "x"}, "messages[0].thinking_blocks"),
        (
            {"role": "assistant", "thinking_blocks": [{"type": "text"}]},
            "messages[0].thinking_blocks[0].type",
        ),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "tool", "content": "x", "tool_call_id": ""}, "messages[0].tool_call_id"),
    ],
)
def test_what_is_wrong_in_a_message_is_named(message: Any, param: str) -> None:
    assert refusal(messages=[message]).param == param


def test_messages_have_to_be_there_and_a_list() -> None:
    assert refusal(messages="Hi").param == "messages"
    assert refusal(messages=None).code == "missing_required_parameter"


# ---- Images and files


def shown(part: Json) -> Json:
    (turn,) = turns({"role": "user", "content": [part]})
    block: Json = turn["content"][0]
    return block


def image(url: str, **more: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}, **more}


@pytest.mark.parametrize(
    ("given", "media_type"), [("jpeg", "jpeg"), ("jpg", "jpeg"), ("PNG", "png"), ("webp", "webp")]
)
def test_an_image_in_the_message_keeps_its_bytes_and_gets_its_right_name(
    given: str, media_type: str
) -> None:
    assert shown(image(f"data:image/{given};base64,QUJD")) == {
        "type": "image",
        "source": {"type": "base64", "media_type": f"image/{media_type}", "data": "QUJD"},
    }


def test_an_image_elsewhere_is_named_by_its_url() -> None:
    theirs = {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}
    assert shown(image("https://a.example/b.png")) == theirs
    assert shown({"type": "image_url", "image_url": "https://a.example/b.png"}) == theirs


@pytest.mark.parametrize(
    "url",
    ["http://a.example/b.png", "data:image/svg+xml;base64,QUJD", "data:image/png,QUJD", "cat.png"],
)
def test_an_image_that_anthropic_cannot_read_is_refused(url: str) -> None:
    error = refusal(messages=[{"role": "user", "content": [image(url)]}])
    assert error.param == "messages[0].content[0].image_url.url"


def test_a_pdf_becomes_a_document_with_its_name() -> None:
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}
    assert shown({"type": "file", "file": file}) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        "title": "a.pdf",
    }


def test_a_text_file_becomes_a_document_of_its_text() -> None:
    data = b64encode("Grüße".encode()).decode()
    file = {"file_data": f"data:text/plain;charset=utf-8;base64,{data}"}
    assert shown({"type": "file", "file": file}) == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
    }


def test_a_file_elsewhere_is_named_by_its_url() -> None:
    block = shown({"type": "file", "file": {"file_data": "https://a.example/b.pdf"}})
    assert block["source"] == {"type": "url", "url": "https://a.example/b.pdf"}


@pytest.mark.parametrize(
    "file",
    [
        {"file_id": "file-1"},
        {"file_data": 5},
        {"file_data": "data:text/plain;base64,/w=="},
        {"file_data": "data:text/plain;base64,?"},
        {"file_data": "data:application/zip;base64,QUJD"},
    ],
)
def test_a_file_that_anthropic_cannot_read_is_refused(file: Json) -> None:
    error = refusal(messages=[{"role": "user", "content": [{"type": "file", "file": file}]}])
    assert error.param == "messages[0].content[0].file.file_data"


def test_marks_of_what_is_cached_go_along() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    request = sent(
        messages=[
            {"role": "system", "content": "Long.", **mark},
            {"role": "user", "content": [image("https://a.example/b.png", **mark), text("Hi")]},
            {"role": "assistant", "tool_calls": [{**call("a"), **mark}]},
            {"role": "tool", "tool_call_id": "a", "content": "1", **mark},
        ],
        tools=[{**TOOL, **mark}],
    )
    assert request["system"] == [{**text("Long."), **mark}]
    assert [turn["content"][0]["cache_control"] for turn in request["messages"]] == [
        mark["cache_control"]
    ] * 3
    assert "cache_control" not in request["messages"][0]["content"][1]
    assert request["tools"] == [{**THEIR_TOOL, **mark}]


# ---- Tools


@pytest.mark.parametrize(
    ("given", "theirs"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
            {"type": "tool", "name": "add"},
        ),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        (
            {
                "parallel_tool_calls": False,
                "tool_choice": {"type": "function", "function": {"name": "add"}},
            },
            {"type": "tool", "name": "add", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_which_tools_may_be_used_is_said_in_anthropics_words(given: Json, theirs: Any) -> None:
    assert sent(tools=[TOOL], **given).get("tool_choice") == theirs


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
    ],
)
def test_a_tools_parameters_are_an_object(parameters: Any, schema: Json) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": parameters}}
    assert sent(tools=[tool])["tools"] == [{"name": "now", "input_schema": schema}]


def test_a_strict_tool_stays_strict_where_the_model_can_be_held_to_a_schema() -> None:
    limited = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    tool = {
        "type": "function",
        "function": {"name": "add", "strict": True, "parameters": limited},
    }
    assert sent(tools=[tool])["tools"] == [
        {
            "name": "add",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"a": {"type": "integer", "description": '{"minimum":1}'}},
                "additionalProperties": False,
            },
        }
    ]
    assert sent(OLD, tools=[tool])["tools"] == [{"name": "add", "input_schema": limited}]


def test_functions_of_old_are_tools_that_are_called_one_at_a_time() -> None:
    functions = [TOOL["function"]]
    one = {"disable_parallel_tool_use": True}
    assert sent(functions=functions)["tools"] == [THEIR_TOOL]
    assert sent(functions=functions)["tool_choice"] == {"type": "auto", **one}
    named = sent(functions=functions, function_call={"name": "add"})
    assert named["tool_choice"] == {"type": "tool", "name": "add", **one}
    assert sent(functions=functions, function_call="none")["tool_choice"] == {"type": "none"}


def test_tools_that_were_called_before_are_known_but_not_on_offer() -> None:
    request = sent(
        messages=[
            QUESTION,
            {"role": "assistant", "tool_calls": [call("a"), call("b"), call("c", name="now")]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ]
    )
    anything = {"type": "object", "properties": {}}
    assert request["tools"] == [
        {"name": "add", "input_schema": anything},
        {"name": "now", "input_schema": anything},
    ]
    assert request["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": {"a": 1}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"function": {"name": "add"}}]}, "tools[0].type"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": [1]}}]},
            "tools[0].function.parameters",
        ),
        ({"tools": [TOOL], "functions": [{"name": "a"}]}, "functions"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "a"}], "function_call": {}}, "function_call.name"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": 5}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ],
)
def test_what_is_wrong_about_tools_is_named(body: Json, param: str) -> None:
    assert refusal(**body).param == param
