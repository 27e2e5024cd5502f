"""Corners of OpenAI's converters that a change could round off unseen; `make mutate` found them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from nightmail.errors import InvalidRequest, ProviderError, ProviderThrottled, ProviderUnavailable
from nightmail.lines import Line
from nightmail.outcome import Kind, Outcome
from nightmail.providers.base import GivenBack
from nightmail.providers.openai.card import BATCHES
from nightmail.providers.openai_protocol.batch_results import to_outcome, to_progress
from nightmail.providers.registry import open_format
from nightmail.usage import Usage

from tests.unit.adapters.cases import CHAT, EMBEDDINGS, QUESTION
from tests.unit.test_openai_direct import KEY, Json, adapter, answered, chat, chunks, deployment
from tests.unit.test_openai_results import READING, read, result

# ---- Direct calls


def test_a_stream_is_asked_for_whatever_the_body_says() -> None:
    request = adapter().request(CHAT, {"messages": QUESTION}, stream=True)
    assert orjson.loads(request.content)["stream"] is True


@pytest.mark.of("together")
def test_an_endpoint_that_a_server_has_not_is_the_models_fault() -> None:
    with pytest.raises(InvalidRequest) as caught:
        adapter("together").request("/v1/moderations", {"input": "a"})
    assert (caught.value.param, caught.value.code) == ("model", "unsupported_endpoint")
    assert "/v1/chat/completions, /v1/embeddings" in caught.value.message


@pytest.mark.parametrize("place", ["status", "status_code", "code"])
def test_an_error_may_tell_its_status_in_several_places(place: str) -> None:
    with pytest.raises(ProviderThrottled):
        answered({"error": {"message": "slowly", place: 429}})


@pytest.mark.parametrize("code", ["abc", "4291", "42"])
def test_a_code_that_is_no_status_is_none(code: str) -> None:
    with pytest.raises(ProviderUnavailable):
        answered({"error": {"message": "lost", "code": code}})


def test_calls_of_any_shape_are_mended_where_they_can_be() -> None:
    given = {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    mended = {**given, "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    message = answered(chat({"tool_calls": [5, {"function": 5}, given]}))["choices"][0]["message"]
    assert message["tool_calls"] == [5, {"function": 5}, mended]


def test_a_stream_that_is_broken_off_is_told_in_the_providers_name() -> None:
    with pytest.raises(ProviderError) as caught:
        chunks({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]})
    assert caught.value.provider == "openai"
    assert caught.value.message.startswith("openai ")


def test_what_comes_behind_the_reason_of_the_end_changes_nothing() -> None:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    more = {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
    assert len(chunks(last, more, ended=False)) == 2


def test_what_a_server_leaves_out_of_a_choice_is_null() -> None:
    body = answered({"choices": [{"index": 0, "message": {"role": "assistant"}}]})
    (choice,) = body["choices"]
    message = {"role": "assistant", "content": None, "refusal": None}
    expected = {"index": 0, "message": message, "logprobs": None, "finish_reason": None}
    assert choice == expected


@pytest.mark.parametrize("calls", [[], "x", None, {"a": 1}])
def test_calls_that_are_none_are_left_out(calls: Any) -> None:
    body = answered(chat({"content": "Hi", "tool_calls": calls}))
    assert "tool_calls" not in body["choices"][0]["message"]


@pytest.mark.parametrize("reason", [5, ["stop"], None])
def test_a_reason_that_is_no_word_is_null(reason: Any) -> None:
    assert answered(chat({}, finish_reason=reason))["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"num_cached_tokens": 1}, 1),
        ({"num_cached_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}, 2),
    ],
)
def test_the_details_of_a_usage_go_before_a_figure_beside_them(usage: Json, cached: int) -> None:
    body = answered({**chat({}), "usage": usage})
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": cached}


@pytest.mark.parametrize(
    ("endpoint", "body", "request_"),
    [
        (CHAT, chat({}, finish_reason="error"), {}),
        (CHAT, {"choices": []}, {}),
        (EMBEDDINGS, {"data": [5]}, {}),
        (EMBEDDINGS, {"data": [{"embedding": ["x"]}]}, {"encoding_format": "base64"}),
    ],
)
def test_a_wrong_answer_is_told_in_the_providers_name(
    endpoint: str, body: Json, request_: Json
) -> None:
    with pytest.raises(ProviderError) as caught:
        answered(body, endpoint, **request_)
    assert caught.value.provider == "openai"
    assert caught.value.message.startswith("openai ")


def test_an_old_error_of_vllms_keeps_its_meaning() -> None:
    with pytest.raises(ProviderThrottled):
        answered({"object": "error", "message": "slowly", "code": 429})


def test_a_late_error_does_not_tell_the_key() -> None:
    error = {"error": {"message": f"lost {KEY} today"}}
    for late in (lambda: answered(error), lambda: chunks(error)):
        with pytest.raises(ProviderError) as caught:
            late()
        assert caught.value.message.endswith("lost *** today")


def test_a_line_without_an_end_is_garbled_in_the_providers_name() -> None:
    with pytest.raises(ProviderError) as caught:
        adapter().reader({}).feed(b"data: " + b"x" * (16 * 1024 * 1024))
    assert caught.value.provider == "openai"


def test_a_base_keeps_the_letters_that_it_ends_in() -> None:
    based = adapter(api_base="https://a.example/X/")
    assert based.request(CHAT, {"messages": QUESTION}).url == "https://a.example/X/chat/completions"


@pytest.mark.of("hosted_vllm")
def test_a_base_that_nobody_told_is_the_models_fault() -> None:
    with pytest.raises(InvalidRequest) as caught:
        adapter("hosted_vllm")
    assert (caught.value.param, caught.value.code) == ("model", "missing_api_base")


# ---- Batches


def test_a_line_goes_out_under_its_number_with_the_providers_model() -> None:
    body = {"model": "public", "messages": QUESTION}
    line = Line(number=7, custom_id="mine", url=CHAT, model="public", body=body)
    expected = {
        "custom_id": "abc-7",
        "method": "POST",
        "url": CHAT,
        "body": {"model": "own", "messages": QUESTION},
    }
    written = open_format(deployment(model="own")).to_line(line, "abc-7")
    assert orjson.loads(written) == expected
    assert written.endswith(b"}\n")


def test_an_answered_line_has_the_public_name_and_the_details() -> None:
    body = {"model": "dated", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    expected = Outcome(
        7,
        Kind.ANSWERED,
        response={"status_code": 200, "body": {**body, "model": "public"}},
        details={"provider": "groq", "model": "dated"},
    )
    usage = Usage(input_tokens=3, output_tokens=2)
    reading = replace(READING, provider="groq", public_model="public")
    assert to_outcome(result(7, body), reading) == (expected, usage)


def test_an_answer_that_is_too_deep_is_said_to_be() -> None:
    deep = b"[" * 300 + b"]" * 300
    content = result(7, {"model": "x", "y": 0}).replace(b'"y":0', b'"y":' + deep)
    told = {"code": "provider_garbled", "message": "The provider's answer is nested too deeply."}
    assert read(content) == Outcome(7, Kind.FAILED, error=told)


@pytest.mark.parametrize("response", [None, "lost", []])
def test_a_failure_without_a_reason_gets_one_and_keeps_no_nonsense(response: Any) -> None:
    told = {
        "code": "provider_error",
        "message": "The provider gave no answer and no reason.",
    }
    assert read(result(7, response=response)) == Outcome(7, Kind.FAILED, None, error=told)


def test_the_longest_number_is_a_lines() -> None:
    found = read(result("1" * 12))
    assert found is not None
    assert found.number == 111_111_111_111
    assert read(result("1" * 13)) is None


def test_errors_of_a_batch_have_all_that_they_tell() -> None:
    told: Json = {"code": "c", "message": "m", "param": "p", "line": 3}
    (error,) = to_progress({"errors": {"data": [told]}}, BATCHES).errors
    assert (error.code, error.message, error.param, error.line) == ("c", "m", "p", 3)
    (empty,) = to_progress({"errors": [{"line": "3"}]}, BATCHES).errors
    assert (empty.code, empty.message) == ("provider_error", "The provider gave no reason.")
    assert (empty.param, empty.line) == (None, None)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"completed": 2, "failed": 1}, (2, 1)),
        ({"completed": -2, "failed": "1"}, (0, 0)),
        (5, (0, 0)),
    ],
)
def test_what_is_no_count_is_0(counts: Any, expected: tuple[int, int]) -> None:
    progress = to_progress({"request_counts": counts}, BATCHES)
    assert (progress.completed, progress.failed) == expected


def test_a_status_is_kept_to_its_hundredth_character() -> None:
    assert to_progress({"status": "x" * 200}, BATCHES).status == "x" * 100


@pytest.mark.parametrize(
    ("error", "given_back"),
    [
        ({"code": "token_limit_exceeded"}, GivenBack.QUEUE_FULL),
        ({"code": "c", "param": "file_id"}, GivenBack.FILE_LOST),
        ({"code": "c", "param": "input_file_id"}, GivenBack.FILE_LOST),
        ({"code": "c", "param": "model"}, None),
    ],
)
def test_a_batch_that_comes_back_tells_why(error: Json, given_back: GivenBack | None) -> None:
    assert to_progress({"status": "failed", "errors": [error]}, BATCHES).given_back == given_back


def test_a_success_that_is_none_keeps_its_number() -> None:
    found = read(result(7, "Hi"))
    assert found is not None
    assert (found.number, found.kind) == (7, Kind.FAILED)
