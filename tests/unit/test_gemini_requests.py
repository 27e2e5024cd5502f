"""Requests to Gemini, where they are other than everybody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.errors import InvalidRequest

from tests.unit.adapters.asked import written
from tests.unit.adapters.cases import EMBEDDINGS, QUESTION, WITH_TOOLS, user
from tests.unit.adapters.gemini_samples import GEMINI

Json = dict[str, Any]


def sent(body: Json, **changed: Any) -> Json:
    request: Json = json.loads(written(GEMINI, {"messages": QUESTION, **body}, **changed).content)
    return request


def generation(body: Json, **changed: Any) -> Json:
    config: Json = sent(body, **changed).get("generationConfig", {})
    return config


def refused(body: Json, **changed: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        sent(body, **changed)
    return caught.value


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
@pytest.mark.parametrize("base", [None, "https://g.example/v1beta", "https://g.example/v1beta/"])
def test_the_model_and_the_verb_are_in_the_url(model: str, base: str | None) -> None:
    root = (base and "https://g.example") or "https://generativelanguage.googleapis.com"
    url = written(GEMINI, {"messages": QUESTION}, model=model, api_base=base).url
    assert url == f"{root}/v1beta/models/gemini-2.5-flash:generateContent"


def test_a_tuned_model_and_an_odd_name_are_kept_within_the_path() -> None:
    tuned = written(GEMINI, {"messages": QUESTION}, model="tunedModels/mine").url
    assert "/v1beta/tunedModels/mine:generateContent" in tuned
    odd = written(GEMINI, {"messages": QUESTION}, model="x?y#z").url
    assert "/v1beta/models/x%3Fy%23z:generateContent" in odd


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-flash", "minimal", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-pro", "medium", {"includeThoughts": True, "thinkingBudget": 8192}),
        ("gemini-flash-latest", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-3-pro-preview", "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", "xhigh", {"includeThoughts": True, "thinkingLevel": "XHIGH"}),
        ("gemini-2.0-flash", "none", None),
    ],
)
def test_an_effort_is_a_budget_or_a_level(model: str, effort: str, config: Json | None) -> None:
    assert generation({"reasoning_effort": effort}, model=model).get("thinkingConfig") == config


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gemini-2.5-pro", "none"), ("gemini-3-flash", "none"), ("gemini-2.0-flash", "low")],
)
def test_an_effort_that_the_model_has_not_is_refused_or_dropped(model: str, effort: str) -> None:
    error = refused({"reasoning_effort": effort}, model=model)
    assert (error.param, error.code) == ("reasoning_effort", "unsupported_parameter")
    assert not generation({"reasoning_effort": effort}, model=model, drop_params=True)
    assert not generation({"reasoning_effort": effort, "drop_params": True}, model=model)


def test_a_tools_result_is_an_object_under_the_name_of_what_was_called() -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "now", "arguments": ""},
        "extra_content": {"google": {"thought_signature": "c2ln"}},
    }
    messages = [
        *QUESTION,
        {"role": "assistant", "content": "Wait.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        user("And then?"),
    ]
    _, said, told = sent({"messages": messages})["contents"]
    assert said == {
        "role": "model",
        "parts": [
            {"text": "Wait."},
            {"functionCall": {"id": "c1", "name": "now", "args": {}}, "thoughtSignature": "c2ln"},
        ],
    }
    response = {"id": "c1", "name": "now", "response": {"result": "noon"}}
    assert told["parts"] == [{"functionResponse": response}, {"text": "And then?"}]


def test_an_answer_to_a_call_that_nobody_made_is_refused() -> None:
    error = refused({"messages": [{"role": "tool", "tool_call_id": "c9", "content": "x"}]})
    assert error.param == "messages[0].tool_call_id"


@pytest.mark.parametrize("arguments", ["{", "[]", 5])
def test_arguments_that_are_no_object_are_refused(arguments: Any) -> None:
    call = {"id": "c1", "function": {"name": "now", "arguments": arguments}}
    error = refused({"messages": [{"role": "assistant", "tool_calls": [call]}]})
    assert error.param == "messages[0].tool_calls[0].function.arguments"


def test_sound_and_files_are_data_or_addresses() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"file_id": "https://g.example/v1beta/files/abc"}},
        {"type": "image_url", "image_url": "https://images.example/a.png?size=1"},
    ]
    (content,) = sent({"messages": [user(parts)]})["contents"]
    assert content["parts"] == [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
        {"fileData": {"fileUri": "https://g.example/v1beta/files/abc"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://images.example/a.png?size=1"}},
    ]


@pytest.mark.parametrize("url", ["data:image/png,abc", "data:image/png;base64"])
def test_a_data_url_that_is_none_is_refused(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    assert refused({"messages": [user([part])]}).param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": "Hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [user("")]}, "messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role"),
        ({"messages": [user(5)]}, "messages[0].content"),
        ({"messages": [user([{"type": "text", "text": 5}])]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "assistant", "tool_calls": {"a": 1}}]}, "messages[0].tool_calls"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({**WITH_TOOLS, "tool_choice": "perhaps"}, "tool_choice"),
        ({**WITH_TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"stop": [5]}, "stop"),
        ({"logprobs": 1}, "logprobs"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"functions": [{"name": "f"}]}, "functions"),
    ],
)
def test_what_is_wrong_is_named(body: Json, param: str) -> None:
    assert refused(body).param == param


def test_top_logprobs_need_logprobs_and_own_parameters_are_passed_on() -> None:
    assert generation({"top_logprobs": 2}) == {}
    wanted = generation({"logprobs": True, "top_logprobs": 2})
    assert wanted == {"responseLogprobs": True, "logprobs": 2}
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    request = sent({"safety_settings": settings, "cached_content": "cachedContents/1", "top_k": 7})
    assert request["safetySettings"] == settings
    assert request["cachedContent"] == "cachedContents/1"
    assert request["generationConfig"] == {"topK": 7}


def test_embeddings_are_asked_for_together_with_their_task() -> None:
    body = {"input": ["a", "b"], "dimensions": 64, "task_type": "CLUSTERING"}
    request = GEMINI.adapter(model="gemini-embedding-001").request(EMBEDDINGS, body)
    assert request.url.endswith("/v1beta/models/gemini-embedding-001:batchEmbedContents")
    for text, each in zip("ab", json.loads(request.content)["requests"], strict=True):
        assert each == {
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": text}]},
            "outputDimensionality": 64,
            "taskType": "CLUSTERING",
        }


@pytest.mark.parametrize(
    ("value", "param"), [([], "input"), ([5], "input[0]"), (["a"] * 101, "input"), (5, "input")]
)
def test_inputs_that_cannot_be_embedded_are_refused(value: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        GEMINI.adapter().request(EMBEDDINGS, {"input": value})
    assert caught.value.param == param


def test_what_the_model_refused_to_say_stands_for_its_words() -> None:
    no = {"role": "assistant", "content": None, "refusal": "I would rather not."}
    contents = sent({"messages": [*QUESTION, no, *QUESTION]})["contents"]
    assert contents[1] == {"role": "model", "parts": [{"text": "I would rather not."}]}
