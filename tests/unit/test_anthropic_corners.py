"""Corners of Anthropic's converters that a change could round off unseen; `make mutate` found them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest, ProviderError, ProviderGarbled
from nightmail.providers.anthropic.provider import AnthropicProvider
from nightmail.providers.anthropic.schema import supported_schema
from nightmail.providers.direct import HttpAnswer

from tests.unit.anthropic_events import (
    closed,
    end,
    error,
    event,
    failure,
    message,
    opened,
    part,
    start,
    text_block,
    tool_block,
    usage,
)
from tests.unit.machine import Json
from tests.unit.test_anthropic_requests import (
    MODEL,
    NEW,
    OLD,
    QUESTION,
    THINKS_BY_BUDGET,
    TOOL,
    call,
    refusal,
    sent,
    shown,
    text,
    turns,
)

CHAT = "/v1/chat/completions"
KEY = "a key that looks like nothing"
DEEP: Json = {}
for _ in range(2000):
    DEEP = {"items": DEEP}


def provider(**fields: Any) -> AnthropicProvider:
    deployment = Deployment(name="public", provider="anthropic", model=MODEL, **fields)
    return AnthropicProvider(deployment, KEY)


def answered(whole: Json) -> Json:
    return provider().answer(CHAT, {}, HttpAnswer(200, {}, orjson.dumps(whole)))


def streamed(*events: bytes) -> list[Json]:
    reader = provider().reader({})
    found = [chunk for content in events for chunk in reader.feed(content)]
    reader.close()
    return found


def deltas(*events: bytes) -> list[Json]:
    return [choice["delta"] for chunk in streamed(*events) for choice in chunk["choices"]]


# ---- Every wrong field is named by its whole path


def asked(*messages: Json) -> Json:
    return {"messages": list(messages)}


def shows(part_: Json) -> Json:
    return asked({"role": "user", "content": [part_]})


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "invalid_value"),
        (
            shows({"type": "image_url"}),
            "messages[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            shows({"type": "image_url", "image_url": 5}),
            "messages[0].content[0].image_url",
            "invalid_type",
        ),
        (
            shows({"type": "image_url", "image_url": {}}),
            "messages[0].content[0].image_url.url",
            "missing_required_parameter",
        ),
        (shows({"type": "file"}), "messages[0].content[0].file", "missing_required_parameter"),
        (shows({"type": "file", "file": 5}), "messages[0].content[0].file", "invalid_type"),
        (
            shows({"type": "file", "file": {"file_id": "f"}}),
            "messages[0].content[0].file.file_data",
            "missing_required_parameter",
        ),
        (
            shows({"type": "file", "file": {"file_data": "http://a.example/b"}}),
            "messages[0].content[0].file.file_data",
            "invalid_value",
        ),
        (
            asked(QUESTION, {"role": "assistant", "content": [{"type": "refusal"}]}),
            "messages[1].content[0].refusal",
            "missing_required_parameter",
        ),
        (
            asked(QUESTION, {"role": "assistant", "function_call": 5}),
            "messages[1].function_call",
            "invalid_type",
        ),
        (
            asked(QUESTION, {"role": "tool", "tool_call_id": "a", "content": 5}),
            "messages[1].content",
            "invalid_type",
        ),
        (
            asked(
                QUESTION,
                {"role": "assistant", "function_call": {"name": "add"}},
                {"role": "function", "name": "add", "content": 5},
            ),
            "messages[2].content",
            "invalid_type",
        ),
        (
            {"tools": [{"type": "function", "function": 5}]},
            "tools[0].function",
            "invalid_type",
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": 5}},
            "tool_choice.function",
            "invalid_type",
        ),
        (
            {"functions": [{"name": "add", "strict": True, "parameters": DEEP}]},
            "functions[0].parameters",
            "invalid_value",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": 5}},
            "response_format.json_schema",
            "invalid_type",
        ),
    ],
)
def test_a_wrong_field_is_named_by_its_whole_path(body: Json, param: str, code: str) -> None:
    error_ = refusal(**body)
    assert (error_.param, error_.code) == (param, code)
    assert f"'{param}" in error_.message or param.startswith(error_.message.split("'")[1])


def test_an_endpoint_that_anthropic_has_not_is_the_models_fault() -> None:
    with pytest.raises(InvalidRequest) as caught:
        provider().request("/v1/embeddings", {"input": "a"})
    assert (caught.value.param, caught.value.code) == ("model", "unsupported_endpoint")


@pytest.mark.parametrize(
    ("model", "body", "why"),
    [
        (NEW, {"temperature": 0.5}, "The model samples as it sees fit."),
        (
            THINKS_BY_BUDGET,
            {"temperature": 0.5, "reasoning_effort": "low"},
            "A model that thinks samples as it sees fit.",
        ),
        (OLD, {"reasoning_effort": "low"}, "The model does not think aloud."),
        (
            THINKS_BY_BUDGET,
            {"reasoning_effort": "low", "max_tokens": 1024},
            "Thoughts need more than 1024 tokens: give a greater max_tokens, or none.",
        ),
    ],
)
def test_a_refusal_says_why(model: str, body: Json, why: str) -> None:
    assert why in refusal(model, **body).message


# ---- The least and the odd that are taken


def test_the_least_of_everything_is_taken() -> None:
    assert sent(top_k=0)["top_k"] == 0
    assert sent(max_tokens=1)["max_tokens"] == 1


@pytest.mark.parametrize(("thinking", "limit"), [({}, 4096), ({"budget_tokens": 1}, 4097)])
def test_thoughts_in_anthropics_words_get_their_budget_as_room(thinking: Json, limit: int) -> None:
    assert sent(thinking={"type": "enabled", **thinking})["max_tokens"] == limit


def test_half_of_an_odd_limit_is_a_whole_number() -> None:
    thinking = sent(THINKS_BY_BUDGET, reasoning_effort="max", max_tokens=5001)["thinking"]
    assert orjson.dumps(thinking["budget_tokens"]) == b"2500"


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_file_without_a_name_is_a_document_without_a_title(name: Any) -> None:
    file = {"file_data": "https://a.example/b.pdf", "filename": name}
    assert "title" not in shown({"type": "file", "file": file})


def test_the_last_part_of_a_marked_message_has_the_mark() -> None:
    mark = {"type": "ephemeral"}
    parts = [text("a"), text("b"), text("c")]
    (turn,) = turns({"role": "user", "content": parts, "cache_control": mark})
    assert turn["content"] == [text("a"), text("b"), {**text("c"), "cache_control": mark}]


def test_a_schema_of_an_object_is_closed_and_values_in_it_stay_as_they_are() -> None:
    assert supported_schema({"type": "object"}, "p")["additionalProperties"] is False
    values = {"const": {"minimum": 1}, "enum": [{"oneOf": 1}], "properties": 5, "anyOf": 5}
    closed_ = {"additionalProperties": False}
    assert supported_schema(values, "p") == values | closed_


def test_an_old_call_without_arguments_has_an_empty_input() -> None:
    called = {"role": "assistant", "tool_calls": [call("a", "")]}
    (block,) = turns(QUESTION, called)[1]["content"]
    assert block["input"] == {}


def test_a_base_keeps_the_letters_that_it_ends_in() -> None:
    request = provider(api_base="https://a.example/X/").request(CHAT, {"messages": [QUESTION]})
    assert request.url == "https://a.example/X/v1/messages"


# ---- Answers


def test_one_token_counts_and_none_does() -> None:
    counts = answered(message(text("Hi"), usage=usage(1, 0)))["usage"]
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (1, 0)


def test_an_explanation_that_is_no_text_is_none() -> None:
    refused = message(stop_reason="refusal", stop_details={"explanation": 5})
    assert answered(refused)["choices"][0]["message"]["refusal"] is None


def test_an_error_behind_a_good_status_does_not_tell_the_key() -> None:
    content = error("api_error", f"lost {KEY}")
    with pytest.raises(ProviderError, match=r"lost \*\*\*"):
        provider().answer(CHAT, {}, HttpAnswer(200, {}, content))
    with pytest.raises(ProviderError, match=r"lost \*\*\*"):
        streamed(start(), failure(words=f"lost {KEY}"))


# ---- Streams


def test_a_stream_tells_when_it_began() -> None:
    assert all(chunk["created"] > 1_700_000_000 for chunk in streamed(start(), end()))


def test_a_third_call_has_the_third_index() -> None:
    calls = [tool_block(index, f"toolu_{index}", "{}") for index in range(3)]
    begun = [delta["tool_calls"][0] for delta in deltas(start(), *calls, end("tool_use"))[1:-1]]
    assert [call_["index"] for call_ in begun if "id" in call_] == [0, 1, 2]


def test_the_reason_of_the_end_may_come_before_the_last_counts() -> None:
    told = event("message_delta", delta={"stop_reason": "max_tokens"})
    counted = event("message_delta", delta={}, usage={"output_tokens": 9})
    last = streamed(start(), text_block(0, "Hi"), told, counted, event("message_stop"))[-1]
    assert last["choices"][0]["finish_reason"] == "length"


def test_thoughts_may_begin_with_nothing() -> None:
    pieces = [part(0, "thinking_delta", thinking=words) for words in ("H", "m.")]
    found = deltas(start(), opened(0, {"type": "thinking"}), *pieces, closed(0), end())
    assert found[3] == {"thinking_blocks": [{"type": "thinking", "thinking": "Hm."}]}


def test_a_stream_that_lacks_its_beginning_is_garbled() -> None:
    with pytest.raises(ProviderGarbled, match="lacks its beginning"):
        streamed(tool_block(0, "toolu_0", "{}"))


def test_a_line_without_an_end_is_garbled_in_the_providers_name() -> None:
    with pytest.raises(ProviderGarbled, match=r"^anthropic "):
        streamed(b"data: " + b"x" * (16 * 1024 * 1024))
