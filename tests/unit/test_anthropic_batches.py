"""What of Anthropic's Message Batches no other provider's batches share."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import InvalidRequest, ProviderRejected
from nightmail.outcome import Kind, Outcome
from nightmail.part import Ending
from nightmail.providers.anthropic import batch_results
from nightmail.providers.base import Cursor, Progress
from nightmail.usage import Usage

from tests.unit.adapters.cases import CHAT, QUESTION
from tests.unit.anthropic_events import message, text, tool_use, usage
from tests.unit.native.anthropic_samples import ANTHROPIC
from tests.unit.native.cases import (
    TAG,
    Json,
    Told,
    a_line_id,
    as_jsonl,
    intent,
    number_of,
    read,
)

FUNCTIONS = {"messages": QUESTION, "functions": [{"name": "get_weather"}]}
OK = httpx.Response(200, json={"id": "msgbatch_1"})


def outcome(result: Json, identity: str = a_line_id(7)) -> Outcome:
    content = as_jsonl([{"custom_id": identity, "result": result}])
    provider, _ = ANTHROPIC.scripted(httpx.Response(200, content=content))
    (found,) = read(provider)
    assert found.outcome
    return found.outcome


def errored(kind: Any, words: Any = "No.", **more: Any) -> Outcome:
    error = {"type": "error", "error": {"type": kind, "message": words}, **more}
    return outcome({"type": "errored", "error": error})


def polled(**fields: Any) -> Progress:
    batch = ANTHROPIC.batch(Told(ending=Ending.COMPLETED, completed=1))
    provider, _ = ANTHROPIC.scripted(httpx.Response(200, json=batch | fields))
    return provider.poll("batch-1")


# ---- What is sent


@given(st.data())
def test_however_the_stored_lines_are_cut_the_body_holds_them_all(data: st.DataObject) -> None:
    content = ANTHROPIC.shard_input(data.draw(st.integers(1, 4)))
    whole = b"".join(content.read())
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8).map(sorted))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    provider, script = ANTHROPIC.scripted(OK)
    provider.submit("", replace(content, read=lambda: pieces), CHAT, TAG)
    (request,) = script.requests
    assert request.headers["content-length"] == str(len(request.content))
    assert request.headers["content-type"] == "application/json"
    expected = [json.loads(line) for line in whole.splitlines()]
    assert json.loads(request.content) == {"requests": expected}


def test_a_batch_is_what_anthropic_describes() -> None:
    provider, script = ANTHROPIC.scripted(OK)
    provider.submit("", ANTHROPIC.shard_input(3), CHAT, TAG)
    ANTHROPIC.check_lines(json.loads(script.requests[0].content)["requests"])


def test_preparing_costs_no_call() -> None:
    provider, script = ANTHROPIC.scripted()
    assert provider.prepare(ANTHROPIC.shard_input(), TAG) == ""
    assert script.requests == []


def test_the_body_of_the_most_lines_and_bytes_is_no_longer_than_256_megabytes() -> None:
    envelope = len(b'{"requests":[]}')
    assert ANTHROPIC.format().limits.bytes + envelope <= 256_000_000
    assert ANTHROPIC.format().limits.lines == 100_000


def test_the_longest_id_is_one_of_anthropics() -> None:
    line = ANTHROPIC.line(999_999_999_999, FUNCTIONS)
    written = ANTHROPIC.format().to_line(line, a_line_id(line.number))
    ANTHROPIC.check_lines([json.loads(written)])
    assert len(json.loads(written)["custom_id"]) <= 64


def test_what_has_no_messages_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ANTHROPIC.sent({"messages": [{"role": "user", "content": 5}]})
    assert caught.value.param == "messages[0].content"


# ---- The function calls of old


def test_who_asked_for_functions_gets_a_function_call() -> None:
    sent = ANTHROPIC.sent(FUNCTIONS)
    assert sent["custom_id"] == a_line_id(7) + "-f"
    called = message(tool_use("toolu_1", {"city": "Oslo"}), stop_reason="tool_use")
    found = outcome({"type": "succeeded", "message": called}, sent["custom_id"])
    assert found.response
    (choice,) = found.response["body"]["choices"]
    assert found.number == 7
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {
        "name": "get_weather",
        "arguments": '{"city":"Oslo"}',
    }


def test_functions_may_be_the_deployments_own() -> None:
    defaults = {"functions": FUNCTIONS["functions"]}
    assert ANTHROPIC.sent({"messages": QUESTION}, defaults=defaults)["custom_id"].endswith("-f")


# ---- What is told


def test_a_batch_that_was_cancelled_is_not_expired() -> None:
    counts = {"succeeded": 1, "errored": 1, "canceled": 2, "expired": 3, "processing": 0}
    progress = polled(request_counts=counts, cancel_initiated_at="2026-11-21T01:00:00Z")
    assert (progress.ending, progress.completed, progress.failed) == (Ending.CANCELLED, 1, 6)
    assert polled(request_counts=counts).ending is Ending.EXPIRED


def test_results_are_read_where_the_batch_is_and_nowhere_else() -> None:
    progress = polled(id="msgbatch_1", results_url="https://elsewhere.example/steal")
    provider, script = ANTHROPIC.scripted(httpx.Response(200, content=b""))
    assert list(provider.results(progress.output_ids, "m", Cursor(), number_of)) == []
    assert str(script.requests[0].url).startswith("http://provider.example/v1/messages/batches/")


def test_neither_does_a_redirect_take_the_key_away() -> None:
    away = httpx.Response(307, headers={"location": "https://elsewhere.example/steal"})
    provider, script = ANTHROPIC.scripted(away)
    with pytest.raises(ProviderRejected):
        read(provider)
    assert len(script.requests) == 1


def test_the_next_page_begins_behind_the_last_batch() -> None:
    first = ANTHROPIC.page(Told(identity="first", left=5), has_more=True)
    provider, script = ANTHROPIC.scripted(first, ANTHROPIC.page())
    provider.find(intent())
    assert dict(script.requests[1].url.params) == {"limit": "100", "after_id": "first"}


@pytest.mark.parametrize("created", [None, "", "soon", 5, "9999-99-99"])
def test_a_batch_of_an_unknown_age_may_be_ours(created: Any) -> None:
    batch = ANTHROPIC.batch(Told(identity="odd", left=3)) | {"created_at": created}
    provider, _ = ANTHROPIC.scripted(httpx.Response(200, json={"data": [batch]}))
    assert provider.find(intent()) == ["odd"]
    assert batch_results.made_at({"created_at": "1970-01-01T00:01:00.5Z"}) == 60


@pytest.mark.parametrize("counts", [{}, None, dict.fromkeys(("processing", "succeeded"), 0)])
def test_a_batch_that_does_not_tell_its_size_may_be_ours(counts: Any) -> None:
    batch = ANTHROPIC.batch(Told(identity="silent")) | {"request_counts": counts}
    provider, _ = ANTHROPIC.scripted(httpx.Response(200, json={"data": [batch]}))
    assert provider.find(intent()) == ["silent"]


@pytest.mark.parametrize(
    ("kind", "status", "type_"),
    [
        ("invalid_request_error", 400, "invalid_request_error"),
        ("request_too_large", 413, "invalid_request_error"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("overloaded_error", 529, "server_error"),
        ("a_new_error", 500, "server_error"),
        (None, 500, "server_error"),
        ([], 500, "server_error"),
    ],
)
def test_an_error_has_the_status_of_its_type(kind: Any, status: int, type_: str) -> None:
    found = errored(kind, request_id="req_9")
    assert found.kind is Kind.REFUSED
    assert found.response
    assert found.details == {"provider": "anthropic"}
    assert (found.response["status_code"], found.response["request_id"]) == (status, "req_9")
    error = found.response["body"]["error"]
    assert (error["message"], error["type"]) == (f"anthropic answered {status}: No.", type_)
    assert error["nightmail"] == {"provider": "anthropic", "status": status}


def test_an_error_without_words_still_is_one() -> None:
    found = outcome({"type": "errored", "error": None})
    assert found.response
    assert found.response["status_code"] == 500
    assert found.response["request_id"] == ""
    error = found.response["body"]["error"]
    assert error["message"] == "anthropic answered 500: Internal Server Error"


@pytest.mark.parametrize("told", [None, {}, [], {"id": 5, "content": []}, {"id": "x"}])
def test_a_success_that_is_no_message_is_a_failure(told: Any) -> None:
    found = outcome({"type": "succeeded", "message": told})
    assert (found.number, found.kind) == (7, Kind.FAILED)
    assert found.error
    assert found.error["code"] == "provider_garbled"


@pytest.mark.parametrize("result", [None, 5, {}, {"type": "reticulated"}, {"type": ["expired"]}])
def test_a_result_of_a_new_kind_is_a_failure_without_a_reason(result: Any) -> None:
    found = outcome(result)
    assert (found.number, found.kind) == (7, Kind.FAILED)
    assert found.error
    assert found.error["code"] == "provider_error"


def test_an_answer_tells_the_providers_own_name_and_its_id() -> None:
    found = outcome({"type": "succeeded", "message": message(text("Hi"))})
    assert found.response
    assert found.response["request_id"] == found.response["body"]["id"] == "msg_01"
    assert found.details == {"provider": "anthropic", "model": ANTHROPIC.direct.model}


def test_cached_tokens_are_counted_into_the_input() -> None:
    used = usage(10, 5, cache_read_input_tokens=3, cache_creation_input_tokens=2)
    told = message(text("Hi"), usage=used)
    content = orjson.dumps(
        {"custom_id": a_line_id(1), "result": {"type": "succeeded", "message": told}}
    )
    provider, _ = ANTHROPIC.scripted(httpx.Response(200, content=content))
    (found,) = read(provider)
    assert found.usage == Usage(
        input_tokens=15, cached_tokens=3, cache_write_tokens=2, output_tokens=5
    )
