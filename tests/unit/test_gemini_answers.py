"""Answers, streams and errors of Gemini's, where they are other than everybody's."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from nightmail.errors import ProviderGarbled, ProviderRejected, ProviderThrottled

from tests.unit.adapters.asked import BODY, answered, choices, failure, streamed, text_of
from tests.unit.adapters.cases import EMBEDDINGS
from tests.unit.adapters.gemini_samples import GEMINI, answer, call, error, event, text

Json = dict[str, Any]
THOUGHT = text("I wonder.", thought=True)


def read(content: Json) -> Json:
    return answered(GEMINI, orjson.dumps(content))


def chosen(content: Json) -> Json:
    choice: Json = read(content)["choices"][0]
    return choice


def told(status: int, **more: Any) -> bytes:
    body = orjson.loads(error(status, "It says why."))
    body["error"] |= more
    return orjson.dumps(body)


def test_thoughts_stand_apart_from_the_answer() -> None:
    message = chosen(answer(THOUGHT, text("Yes.")))["message"]
    assert (message["reasoning_content"], message["content"]) == ("I wonder.", "Yes.")


def test_a_call_has_an_id_its_signature_and_no_text() -> None:
    part = call("now", {}) | {"thoughtSignature": "c2ln"}
    choice = chosen(answer(part, call("then", {"a": "b"})))
    first, second = choice["message"]["tool_calls"]
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"
    assert first["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert "extra_content" not in second
    assert first["id"] != second["id"]
    own = answer({"functionCall": {"id": "own", "name": "now"}})
    assert chosen(own)["message"]["tool_calls"][0] == {
        "id": "own",
        "type": "function",
        "function": {"name": "now", "arguments": "{}"},
    }


def test_a_call_that_was_cut_off_is_told_by_its_length() -> None:
    assert chosen(answer(call("now", {}), reason="MAX_TOKENS"))["finish_reason"] == "length"


def test_thoughts_are_counted_once_wherever_gemini_counts_them() -> None:
    beside = {"promptTokenCount": 4, "candidatesTokenCount": 6, "thoughtsTokenCount": 5}
    for total, written in ((15, 11), (10, 6), (None, 11)):
        told_usage = {**beside, **({"totalTokenCount": total} if total else {})}
        usage = read(answer(text("Hi"), usageMetadata=told_usage))["usage"]
        assert usage["completion_tokens"] == written
        assert usage["total_tokens"] == 4 + written
        assert usage["completion_tokens_details"] == {"reasoning_tokens": 5}


def test_tokens_of_googles_own_tools_are_the_prompts() -> None:
    counted = {"promptTokenCount": 4, "toolUsePromptTokenCount": 3, "candidatesTokenCount": 1}
    assert read(answer(text("Hi"), usageMetadata=counted))["usage"]["prompt_tokens"] == 7


def test_logprobs_are_openais() -> None:
    tokens = [{"token": "Hi", "logProbability": -0.5}, {"token": "!", "logProbability": -1}]
    content = answer(text("Hi!"))
    result = {"chosenCandidates": tokens, "topCandidates": [{"candidates": tokens}]}
    content["candidates"][0]["logprobsResult"] = result
    first, second = chosen(content)["logprobs"]["content"]
    plain = [
        {"token": each["token"], "logprob": each["logProbability"], "bytes": None}
        for each in tokens
    ]
    assert first == {**plain[0], "top_logprobs": plain}
    assert second == {**plain[1], "top_logprobs": []}


def test_an_answer_without_an_id_gets_one() -> None:
    content = answer(text("Hi"))
    del content["responseId"]
    assert read(content)["id"].startswith("chatcmpl-")


def test_several_answers_are_told_apart() -> None:
    first, second = answer(text("One"))["candidates"], answer(text("Two"))["candidates"]
    found = read(answer() | {"candidates": [*first, *second]})["choices"]
    assert [(each["index"], each["message"]["content"]) for each in found] == [
        (0, "One"),
        (1, "Two"),
    ]


def test_a_stream_of_several_answers_is_over_when_all_are() -> None:
    one, two = answer(text("One")), answer(text("Two"))
    two["candidates"][0]["index"] = 1
    reader = GEMINI.adapter().reader({**BODY, "n": 2})
    reader.feed(event(one))
    assert not reader.is_over
    reader.feed(event(two))
    assert reader.is_over


def test_a_prompt_that_is_blocked_ends_its_stream() -> None:
    chunks = streamed(GEMINI.adapter(), [event({"promptFeedback": {"blockReason": "SAFETY"}})])
    assert choices(chunks)[-1]["finish_reason"] == "content_filter"
    assert text_of(chunks) == ""


def test_a_prompt_that_is_blocked_ends_a_stream_of_several_answers() -> None:
    reader = GEMINI.adapter().reader({**BODY, "n": 2})
    chunks = reader.feed(event({"promptFeedback": {"blockReason": "SAFETY"}}))
    assert reader.is_over
    assert [choice["finish_reason"] for choice in choices(chunks)] == [None, "content_filter"]
    assert reader.close() == []


def test_thoughts_come_first_in_a_stream() -> None:
    pieces = [event(answer(THOUGHT, reason=None)), event(answer(text("Yes.")))]
    deltas = [choice["delta"] for choice in choices(streamed(GEMINI.adapter(), pieces))]
    assert deltas[0]["reasoning_content"] == "I wonder."
    assert deltas[1]["content"] == "Yes."


def test_a_call_without_a_name_is_garbled_in_a_stream_too() -> None:
    nameless = answer({"functionCall": {"args": {}}})
    assert isinstance(failure(GEMINI, orjson.dumps(nameless), 200), ProviderGarbled)
    with pytest.raises(ProviderGarbled):
        streamed(GEMINI.adapter(), [event(nameless)])


def test_a_wrong_key_is_no_fault_of_the_callers() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    found = failure(GEMINI, told(400, details=details), 400)
    assert (type(found), found.http_status, found.retryable) == (ProviderRejected, 502, False)
    assert (found.upstream_status, found.meaning, found.code) == (400, 401, "API_KEY_INVALID")
    assert failure(GEMINI, told(400), 400).http_status == 400


@pytest.mark.parametrize(
    ("delay", "seconds"), [("37s", 37), ("1.5s", 1.5), ("soon", None), (5, None), (None, None)]
)
def test_the_wait_is_in_the_details(delay: Any, seconds: float | None) -> None:
    found = failure(GEMINI, told(429, details=["x", {"reason": "x"}, {"retryDelay": delay}]), 429)
    assert isinstance(found, ProviderThrottled)
    assert found.retry_after_seconds == seconds
    assert found.code == "RESOURCE_EXHAUSTED"


def test_the_waits_header_goes_before_the_details() -> None:
    content = told(429, details=[{"retryDelay": "37s"}])
    assert failure(GEMINI, content, 429, retry_after="2").retry_after_seconds == 2


def test_an_error_may_lie_in_a_list() -> None:
    found = failure(GEMINI, b"[" + told(404) + b"]", 404)
    assert found.message == "gemini answered 404: It says why."


@pytest.mark.parametrize("content", [[], [[1]], [{}], [{"values": [1e300]}]])
def test_other_than_an_embedding_for_each_input_is_garbled(content: list[Any]) -> None:
    body = {"input": "Hi", "encoding_format": "base64"}
    with pytest.raises(ProviderGarbled):
        answered(GEMINI, json.dumps({"embeddings": content}).encode(), 200, body, EMBEDDINGS)
