"""Cohere's chat answers as OpenAI's."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import ProviderError, ProviderGarbled, ProviderTimedOut, ProviderUnavailable
from nightmail.usage import usage_of

from tests.unit.cohere_calls import CHAT, KEY, MODEL, answered, message_of, provider

TEXT = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
CALL = {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
USAGE = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 2.0},
    "tokens": {"input_tokens": 71.0, "output_tokens": 4.0},
    "cached_tokens": 64.0,
}


def whole(**changes: Any) -> dict[str, Any]:
    return {"id": "c1", "finish_reason": "COMPLETE", "message": TEXT, "usage": USAGE, **changes}


def test_an_answer_is_a_chat_completion_under_the_public_name() -> None:
    answer = answered(whole())
    assert answer.pop("created") > 1_700_000_000
    assert answer == {
        "id": "c1",
        "object": "chat.completion",
        "model": "public",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 5},
        },
        "system_fingerprint": None,
        "nightmail": {"provider": "cohere", "model": MODEL},
    }


def test_texts_are_joined() -> None:
    parts = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]
    assert message_of(content=parts)["content"] == "Hi there"


def test_calls_come_with_the_plan_as_reasoning() -> None:
    assert message_of(tool_calls=[CALL, {**CALL, "id": "f_2"}], tool_plan="Ask f.") == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "reasoning_content": "Ask f.",
        "tool_calls": [CALL, {**CALL, "id": "f_2"}],
    }


def test_what_a_call_lacks_is_empty() -> None:
    function = {"name": "", "arguments": ""}
    empty = {"id": "", "type": "function", "function": function}
    assert message_of(tool_calls=[{}, None, {"function": None}])["tool_calls"] == [empty] * 3


def test_an_answer_without_an_id_has_an_empty_one() -> None:
    assert answered(whole(id=None))["id"] == ""


def test_thoughts_are_reasoning() -> None:
    parts = [{"type": "thinking", "thinking": "Hm. "}, {"type": "text", "text": "Yes"}]
    message = message_of(content=parts)
    assert (message["reasoning_content"], message["content"]) == ("Hm. ", "Yes")


def test_citations_are_kept() -> None:
    citation = {"start": 0, "end": 2, "text": "Hi", "sources": []}
    assert message_of(**TEXT, citations=[citation])["citations"] == [citation]
    assert "citations" not in message_of(**TEXT, citations=[])


@pytest.mark.parametrize("message", [{}, {"content": []}, {"content": None, "tool_calls": None}])
def test_an_answer_may_say_nothing(message: Any) -> None:
    assert message_of(**message) == {"role": "assistant", "content": None, "refusal": None}


def test_logarithms_of_the_tokens_of_a_piece_add_up() -> None:
    items = [
        {"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]},
        {"text": "é", "token_ids": [3], "logprobs": [-1]},
        {"token_ids": [4]},
    ]
    (choice,) = answered(whole(logprobs=items))["choices"]
    assert choice["logprobs"] == {
        "content": [
            {"token": "Hi", "logprob": -0.75, "bytes": [72, 105], "top_logprobs": []},
            {"token": "é", "logprob": -1.0, "bytes": [195, 169], "top_logprobs": []},
            {"token": "", "logprob": 0.0, "bytes": [], "top_logprobs": []},
        ],
        "refusal": None,
    }


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("SOMETHING_NEW", "stop"),
        (None, "stop"),
        (["COMPLETE"], "stop"),
    ],
)
def test_the_reason_of_the_end_is_openais(word: Any, reason: str) -> None:
    (choice,) = answered(whole(finish_reason=word))["choices"]
    assert choice["finish_reason"] == reason


@pytest.mark.parametrize(
    ("word", "leaf"), [("ERROR", ProviderUnavailable), ("TIMEOUT", ProviderTimedOut)]
)
def test_an_answer_that_was_broken_off_is_an_error(word: str, leaf: type[ProviderError]) -> None:
    with pytest.raises(leaf, match=rf"cohere answered 200: it broke its answer off \({word}\)\."):
        answered(whole(finish_reason=word))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, (0, 0, 0)),
        ({"billed_units": {"input_tokens": 5, "output_tokens": 2}}, (5, 2, 0)),
        ({"tokens": {"input_tokens": 7}, "billed_units": {"output_tokens": 2}}, (7, 2, 0)),
        ({"tokens": {"input_tokens": 71}, "billed_units": {"input_tokens": 5}}, (5, 0, 0)),
        ({"billed_units": {"input_tokens": 5}, "cached_tokens": 64}, (5, 0, 5)),
        ({"tokens": {"input_tokens": 7, "output_tokens": 3}, "cached_tokens": 6}, (7, 3, 6)),
        ({"tokens": {"input_tokens": 1e300, "output_tokens": -3}, "cached_tokens": "6"}, (0, 0, 0)),
        ({"tokens": {"input_tokens": 1, "output_tokens": 2**53 - 1}}, (1, 2**53 - 1, 0)),
        ({"tokens": {"input_tokens": 2**53}}, (0, 0, 0)),
    ],
)
def test_the_tokens_that_are_billed_count(usage: Any, expected: tuple[int, int, int]) -> None:
    answer = answered(whole(usage=usage))
    counted = usage_of(answer)
    assert (counted.input_tokens, counted.output_tokens, counted.cached_tokens) == expected
    assert answer["usage"]["total_tokens"] == expected[0] + expected[1]
    assert all(isinstance(answer["usage"][name], int) for name in ("prompt_tokens", "total_tokens"))


@pytest.mark.parametrize("content", [{}, {"id": "c1"}, {"message": None}, {"message": []}])
def test_what_holds_no_message_is_no_answer(content: Any) -> None:
    with pytest.raises(ProviderGarbled, match="cohere answered 200 with no message"):
        answered(content)


def test_an_error_in_a_success_is_an_error() -> None:
    with pytest.raises(ProviderUnavailable) as failed:
        answered({"id": "e1", "message": f"we lost {KEY}"})
    assert failed.value.message == "cohere answered 200: we lost ***"
    assert failed.value.upstream_status == 200


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"Hi"', b"[" * 100_000])
def test_what_is_no_json_object_is_garbled(content: bytes) -> None:
    with pytest.raises(ProviderGarbled, match="cohere answered 200"):
        answered(content)


def test_what_is_nested_too_deeply_is_garbled() -> None:
    deep = b'{"message":{"citations":[' + b"[" * 400 + b"]" * 400 + b"]}}"
    with pytest.raises(ProviderGarbled, match="nested too deeply"):
        answered(deep)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PART = st.dictionaries(st.sampled_from(["type", "text", "thinking"]), JSON)
CALLS = st.dictionaries(st.sampled_from(["id", "function"]), JSON)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "content": JSON | st.lists(PART | JSON),
        "tool_calls": JSON | st.lists(CALLS | JSON),
        "tool_plan": JSON,
        "citations": JSON,
    },
)
LOGPROB = st.dictionaries(st.sampled_from(["text", "logprobs"]), JSON)
ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "message": MESSAGE | JSON,
        "finish_reason": JSON,
        "usage": JSON | st.dictionaries(st.sampled_from(["tokens", "billed_units"]), JSON),
        "logprobs": JSON | st.lists(LOGPROB | JSON),
    },
)


@given(ANSWER | JSON)
def test_any_answer_is_read_or_an_error_of_the_provider(content: Any) -> None:
    with suppress(ProviderError):
        assert orjson.dumps(answered(content))


# ---- Errors


@pytest.mark.parametrize(
    ("status", "leaf", "http_status"),
    [
        (400, "ProviderRejected", 400),
        (401, "ProviderRejected", 502),
        (402, "ProviderRejected", 502),
        (403, "ProviderRejected", 502),
        (404, "ProviderRejected", 404),
        (422, "ProviderRejected", 422),
        (429, "ProviderThrottled", 429),
        (498, "ProviderRejected", 400),
        (499, "ProviderUnavailable", 502),
        (500, "ProviderUnavailable", 502),
        (501, "ProviderUnavailable", 502),
        (503, "ProviderUnavailable", 502),
        (504, "ProviderUnavailable", 502),
    ],
)
def test_a_status_is_an_error_in_coheres_words(status: int, leaf: str, http_status: int) -> None:
    with pytest.raises(ProviderError) as failed:
        answered({"id": "e1", "message": f"no {KEY} here"}, status=status)
    error = failed.value
    assert (type(error).__name__, error.http_status) == (leaf, http_status)
    assert error.upstream_status == status
    assert error.message == f"cohere answered {status}: no *** here"


def test_a_blocked_text_is_named_as_content_filter() -> None:
    with pytest.raises(ProviderError) as failed:
        answered({"message": "blocked"}, status=498)
    assert (failed.value.code, failed.value.type) == ("content_filter", "invalid_request_error")


# ---- Addresses and keys


@pytest.mark.parametrize(
    ("api_base", "url"),
    [
        (None, "https://api.cohere.com/v2/chat"),
        ("https://cohere.example", "https://cohere.example/v2/chat"),
        ("https://cohere.example/", "https://cohere.example/v2/chat"),
        ("https://cohere.example/v2", "https://cohere.example/v2/chat"),
        ("https://cohere.example/in/v2/", "https://cohere.example/in/v2/chat"),
        ("https://cohere.example/X/", "https://cohere.example/X/v2/chat"),
    ],
)
def test_an_api_base_may_end_in_the_version(api_base: str | None, url: str) -> None:
    request = provider(api_base=api_base).request(CHAT, {"messages": []})
    assert request.url == url


def test_the_key_goes_in_the_header_of_a_bearer() -> None:
    headers = provider().request(CHAT, {"messages": []}).headers
    assert headers == {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept": "application/json",
    }


def test_an_old_models_name_passes() -> None:
    request = provider(model="command-nightly").request(CHAT, {"messages": []})
    assert orjson.loads(request.content)["model"] == "command-nightly"
