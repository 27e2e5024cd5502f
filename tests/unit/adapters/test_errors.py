"""Every provider's errors are leaves of one tree, in its words, with its status and no secrets."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightmail.errors import (
    GatewayError,
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.providers.direct import HttpAnswer

from tests.unit.adapters.asked import BODY, answered, failure
from tests.unit.adapters.cases import CHAT, EMBEDDINGS, KEY, URL, AdapterSamples
from tests.unit.spoiled_json import spoiled

_CALLER = "invalid_request_error"
_OURS = "server_error"


@pytest.mark.parametrize(
    ("status", "leaf", "shown", "type_"),
    [
        (400, ProviderRejected, 400, _CALLER),
        (401, ProviderRejected, 502, _OURS),
        (402, ProviderRejected, 502, _OURS),
        (403, ProviderRejected, 502, _OURS),
        (404, ProviderRejected, 404, _CALLER),
        (408, ProviderTimedOut, 504, _OURS),
        (409, ProviderUnavailable, 502, _OURS),
        (413, ProviderRejected, 413, _CALLER),
        (422, ProviderRejected, 422, _CALLER),
        (429, ProviderThrottled, 429, "rate_limit_exceeded"),
        (500, ProviderUnavailable, 502, _OURS),
        (502, ProviderUnavailable, 502, _OURS),
        (503, ProviderUnavailable, 502, _OURS),
        (504, ProviderUnavailable, 502, _OURS),
        (529, ProviderUnavailable, 502, _OURS),
    ],
)
def test_a_status_is_a_leaf_and_what_the_caller_sees(
    samples: AdapterSamples,
    status: int,
    leaf: type[ProviderError],
    shown: int,
    type_: str,
) -> None:
    error = failure(samples, samples.error(status, "It says why."), status)
    assert (type(error), error.http_status, error.upstream_status) == (leaf, shown, status)
    assert error.provider == samples.provider
    assert error.message.startswith(f"{samples.provider} answered {status}: ")
    assert "It says why." in error.message
    assert error.type == type_


def test_a_429_tells_when_to_come_back(samples: AdapterSamples) -> None:
    error = failure(samples, samples.error(429, "Slowly."), 429, retry_after="7")
    assert error.retry_after_seconds == 7
    assert error.retryable


def test_a_quota_that_waiting_never_heals_is_not_tried_again(samples: AdapterSamples) -> None:
    if samples.quota is None:
        pytest.skip("this provider does not tell it apart")
    error = failure(samples, samples.quota, 429)
    assert (type(error), error.http_status, error.retryable) == (ProviderRejected, 429, False)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_neither_keys_nor_urls_are_told(samples: AdapterSamples, status: int) -> None:
    said = f"Bad key {KEY} or sk-proj-abcdefgh1234 at {URL}."
    error = failure(samples, samples.error(status, said), status)
    for secret in (KEY, "sk-proj", "10.0.0.7", "private"):
        assert secret not in error.message
    assert "Bad key" in error.message


@pytest.mark.parametrize("content", [b"", b"<html>Bad gateway</html>", b"null", b'"x"', b"[1]"])
def test_an_error_without_an_envelope_still_tells_its_status(
    samples: AdapterSamples, content: bytes
) -> None:
    error = failure(samples, content, 503)
    assert isinstance(error, ProviderUnavailable)
    assert error.message.startswith(f"{samples.provider} answered 503: ")


@pytest.mark.parametrize("status", [301, 302, 307, 405, 418])
def test_an_odd_status_is_refused_as_ours(samples: AdapterSamples, status: int) -> None:
    error = failure(samples, b"", status)
    assert (type(error), error.http_status) == (ProviderRejected, 502)


@pytest.mark.parametrize("content", [b"", b"<html>Hi</html>", b"null", b"[]", b'"x"', b"{}", b"{"])
def test_a_good_status_with_something_else_is_garbled(
    samples: AdapterSamples, content: bytes
) -> None:
    error = failure(samples, content, 200)
    assert isinstance(error, ProviderGarbled)
    assert error.message.startswith(f"{samples.provider} answered 200 ")
    assert error.upstream_status == 200


def test_half_an_answer_is_garbled(samples: AdapterSamples) -> None:
    for content in (samples.plain, samples.tools):
        assert isinstance(failure(samples, content[: len(content) // 2], 200), ProviderGarbled)


def test_an_answer_that_is_nested_too_deeply_is_garbled(samples: AdapterSamples) -> None:
    body = json.loads(samples.plain)
    deep = "[" * 600 + "]" * 600
    content = json.dumps({**body, "deep": 0}).replace('"deep": 0', f'"deep": {deep}').encode()
    assert isinstance(failure(samples, content, 200), ProviderGarbled)


def test_an_error_in_a_200_is_an_error(samples: AdapterSamples) -> None:
    if samples.error_in_success is None:
        pytest.skip("this provider has none")
    error = failure(samples, samples.error_in_success, 200)
    assert isinstance(error, ProviderUnavailable)
    assert error.upstream_status == 200
    assert error.message.startswith(f"{samples.provider} answered 200: ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data(), endpoint=st.sampled_from([CHAT, EMBEDDINGS]))
def test_no_answer_raises_anything_but_errors_of_the_provider(
    samples: AdapterSamples, data: st.DataObject, endpoint: str
) -> None:
    if endpoint not in samples.adapter().endpoints:
        return
    good = samples.plain if endpoint == CHAT else samples.embeddings
    content = json.dumps(spoiled(json.loads(good or b"{}"), data)).encode()
    with suppress(ProviderError):
        answered(samples, content, body=BODY, endpoint=endpoint)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(status=st.integers(200, 599), content=st.binary())
def test_no_bytes_raise_anything_but_our_errors(
    samples: AdapterSamples, status: int, content: bytes
) -> None:
    with pytest.raises(GatewayError):
        samples.adapter().answer(CHAT, BODY, HttpAnswer(status, {}, content))
