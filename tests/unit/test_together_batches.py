"""What Together's batches have that no other's have."""

from __future__ import annotations

import httpx
import pytest
from nightmail.errors import ProviderGarbled
from nightmail.outcome import Kind
from nightmail.part import Ending
from nightmail.providers.base import Phase

from tests.unit.adapters.cases import CHAT
from tests.unit.native.cases import TAG, Told, a_line_id, as_jsonl, intent
from tests.unit.native.together_samples import TOGETHER


def test_an_upload_says_that_it_is_a_batch_and_how_it_is_called() -> None:
    provider, script = TOGETHER.scripted(httpx.Response(200, json={"id": "file-7"}))
    assert provider.prepare(TOGETHER.shard_input(), TAG) == "file-7"
    (request,) = script.requests
    assert request.url.path == "/v1/files/upload"
    for field in (b'"purpose"\r\n\r\nbatch-api\r\n', b'"file_name"\r\n\r\nbatch.jsonl\r\n'):
        assert field in request.content


def test_a_batch_that_was_started_comes_in_a_job() -> None:
    started = {"job": TOGETHER.batch(Told(identity="ours")), "warning": "Slow today."}
    provider, script = TOGETHER.scripted(httpx.Response(201, json=started))
    assert provider.submit("file-7", TOGETHER.shard_input(), CHAT, TAG) == "ours"
    assert b"metadata" not in script.requests[0].content


def test_a_batch_that_failed_says_why() -> None:
    told = {**TOGETHER.batch(Told(ending=Ending.FAILED, has_results=False)), "error": "Bad line 3."}
    provider, _ = TOGETHER.scripted(httpx.Response(200, json=told))
    progress = provider.poll("batch-1")
    assert (progress.phase, progress.ending) == (Phase.ENDED, Ending.FAILED)
    assert [error.message for error in progress.errors] == ["Bad line 3."]


def test_a_list_that_is_none_is_not_an_empty_one() -> None:
    provider, _ = TOGETHER.scripted(httpx.Response(200, json={"data": []}))
    with pytest.raises(ProviderGarbled):
        provider.find(intent())


def test_a_line_of_the_error_file_is_a_failure_in_its_words() -> None:
    told = {"message": "Invalid model specified", "code": "invalid_model"}
    content = as_jsonl([{"custom_id": a_line_id(7), "error": told}])
    (result,) = TOGETHER.read(TOGETHER.serving(content))
    assert result.outcome
    assert (result.outcome.number, result.outcome.kind) == (7, Kind.FAILED)
    assert result.outcome.error == told
