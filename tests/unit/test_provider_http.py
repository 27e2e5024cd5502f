"""Every HTTP outcome of a provider is one leaf of the error tree, in the provider's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderQueueFull,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.providers.http import without_secrets
from nightmail.providers.native_http import NativeClient, transport_errors

KEY = "my own key, which looks like nothing"


def response(status: int, body: Any = None, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, bytes):
        return httpx.Response(status, content=body, headers=names)
    return httpx.Response(status, json=body, headers=names)


def client_of(answer: httpx.Response) -> NativeClient:
    """Whatever it calls, the answer is this one."""
    transport = httpx.MockTransport(lambda _: answer)
    return NativeClient("openai", httpx.Client(base_url="http://p", transport=transport), KEY)


def error_of(answer: httpx.Response) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        client_of(answer).call("GET", "/batches")
    return caught.value


def envelope(**error: Any) -> dict[str, Any]:
    return {"error": {"message": "No.", "type": "invalid_request_error", **error}}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_is_no_error(status: int) -> None:
    assert client_of(response(status)).call("GET", "/batches").status_code == status


@pytest.mark.parametrize(
    ("status", "body", "leaf"),
    [
        (400, envelope(), ProviderRejected),
        (401, envelope(code="invalid_api_key"), ProviderRejected),
        (403, envelope(), ProviderRejected),
        (404, envelope(), ProviderNotFound),
        (413, envelope(), ProviderRejected),
        (301, envelope(), ProviderRejected),
        (408, envelope(), ProviderUnavailable),
        (409, envelope(), ProviderUnavailable),
        (500, envelope(), ProviderUnavailable),
        (503, envelope(), ProviderUnavailable),
        (522, envelope(), ProviderUnavailable),
        (529, envelope(), ProviderUnavailable),
        (429, envelope(), ProviderThrottled),
        (429, envelope(code="rate_limit_exceeded"), ProviderThrottled),
        (429, envelope(code="insufficient_quota"), ProviderRejected),
        (429, envelope(code="billing_hard_limit_reached"), ProviderRejected),
        (429, envelope(code="token_limit_exceeded"), ProviderQueueFull),
        (400, envelope(code="token_limit_exceeded"), ProviderQueueFull),
    ],
)
def test_a_status_is_a_leaf_of_the_tree(
    status: int, body: dict[str, Any], leaf: type[ProviderError]
) -> None:
    error = error_of(response(status, body))
    assert type(error) is leaf
    assert error.upstream_status == status
    assert error.message == f"openai answered {status}: No."


def test_param_and_code_are_kept() -> None:
    error = error_of(response(400, envelope(param="model", code="model_not_found")))
    assert (error.param, error.code) == ("model", "model_not_found")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>busy</html>", "Bad Gateway"),
        (b"", "Bad Gateway"),
        (b'{"error": "plain words"}', "plain words"),
        (b'{"message": "without an envelope"}', "without an envelope"),
        (b'{"error": {"message": {"odd": 1}}}', "{'odd': 1}"),
        (b'["an", "array"]', "['an', 'array']"),
        (b"{}", "Bad Gateway"),
        (b'{"error": ""}', "Bad Gateway"),
        (b'{"detail": "Not so."}', "Not so."),
        (b'{"detail": [{"loc": ["body", "n"], "msg": "too big"}, 1]}', "body.n: too big"),
        (b'{"error": "plain words", "code": "some_code"}', "plain words"),
    ],
)
def test_words_are_found_wherever_a_server_puts_them(body: bytes, text: str) -> None:
    assert error_of(response(502, body)).message == f"openai answered 502: {text}"


@given(st.integers(300, 599), st.binary())
def test_no_body_breaks_the_reading_of_an_error(status: int, body: bytes) -> None:
    error_of(response(status, body))


# ---- Secrets


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Incorrect API key provided: sk-proj-abc_12345.", "Incorrect API key provided: ***."),
        (
            "Incorrect API key provided: sk-ab***********xyz. See",
            "Incorrect API key provided: ***. See",
        ),
        ("gsk_abcdef12345 is wrong", "*** is wrong"),
        ("AIzaSyA1234567890 is wrong", "*** is wrong"),
        ("header 'Bearer abc.def-ghi'", "header '***'"),
        (f"I got {KEY}!", "I got ***!"),
        ("The key provided is task-specific.", "The key provided is task-specific."),
        ("Look at https://10.0.0.7:8080/v1?x=1. Then", "Look at [link]. Then"),
        ("(see http://inside/a)", "(see [link])"),
    ],
)
def test_keys_are_blanked_and_words_are_not(said: str, shown: str) -> None:
    assert without_secrets(said, KEY) == shown
    assert error_of(response(401, envelope(message=said))).message.endswith(shown)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"code": 400, "type": "BadRequestError"}, "BadRequestError"),
        ({"code": "wrong", "type": "t"}, "wrong"),
        ({"code": None, "type": None}, "provider_rejected"),
    ],
)
def test_a_number_for_a_code_says_nothing_new(fields: dict[str, Any], code: str) -> None:
    assert error_of(response(400, envelope(**fields))).code == code


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("key", "The key is EMPTY; so is a-key-of-8."),
        ("EMPTY", "The key is EMPTY; so is a-key-of-8."),
        ("a-key-of", "The key is EMPTY; so is ***-8."),
    ],
)
def test_a_word_that_stands_for_a_key_is_not_blanked(key: str, shown: str) -> None:
    assert without_secrets("The key is EMPTY; so is a-key-of-8.", key) == shown


def test_a_long_text_is_cut() -> None:
    assert len(without_secrets("x" * 10_000)) == 500


# ---- Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "-3"}, 0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "1e999"}, None),
        ({"retry_after_ms": "later"}, None),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
    ],
)
def test_the_wanted_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert error_of(response(429, **headers)).retry_after_seconds == seconds


def test_the_wanted_wait_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    error = error_of(response(429, retry_after=format_datetime(later, usegmt=True)))
    assert error.retry_after_seconds is not None
    assert 0 < error.retry_after_seconds <= 3600


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_header_breaks_the_reading_of_an_error(value: str) -> None:
    error_of(response(429, retry_after=value))


# ---- Answers and transport


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"\xff"])
def test_a_good_answer_that_is_no_object_is_garbled(body: bytes) -> None:
    with pytest.raises(ProviderGarbled):
        client_of(response(200, body)).send("GET", "/batches")


@pytest.mark.parametrize(
    ("raised", "leaf"),
    [
        (httpx.ConnectError("refused"), ProviderUnavailable),
        (httpx.ReadTimeout("slow"), ProviderUnavailable),
        (httpx.RemoteProtocolError("closed"), ProviderUnavailable),
        (httpx.DecodingError("gzip"), ProviderGarbled),
        (httpx.TooManyRedirects("round"), ProviderGarbled),
        (httpx.UnsupportedProtocol("no scheme"), ProviderRejected),
        (httpx.InvalidURL("no host"), ProviderRejected),
    ],
)
def test_what_kept_an_answer_from_coming_is_a_leaf_too(
    raised: Exception, leaf: type[ProviderError]
) -> None:
    with pytest.raises(leaf) as caught, transport_errors("openai"):
        raise raised
    assert caught.value.__cause__ is raised
    assert str(raised) not in str(caught.value)
