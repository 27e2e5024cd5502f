"""What became of a line that the gateway called itself, as a row of its batch has it."""

from __future__ import annotations

import pytest
from nightmail.direct_outcome import answered, failed
from nightmail.errors import (
    GatewayError,
    InvalidRequest,
    ProviderGarbled,
    ProviderRejected,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.outcome import Kind
from nightmail.providers.http import provider_error

BODY = {
    "object": "chat.completion",
    "model": "fast",
    "nightmail": {"provider": "openai", "model": "m"},
}


def test_the_details_of_an_answer_stand_beside_it() -> None:
    outcome = answered(7, BODY)

    assert (outcome.number, outcome.kind, outcome.error) == (7, Kind.ANSWERED, None)
    assert outcome.details == {"provider": "openai", "model": "m", "lane": "direct"}
    assert outcome.response
    assert outcome.response["status_code"] == 200
    assert outcome.response["body"] == {"object": "chat.completion", "model": "fast"}
    assert outcome.response["request_id"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProviderRejected("No.", provider="openai", upstream_status=400), 400),
        (ProviderUnavailable("No.", provider="openai", upstream_status=503), 503),
        (InvalidRequest("No such parameter.", param="n"), 400),
    ],
)
def test_who_answers_with_a_status_has_refused(error: GatewayError, status: int) -> None:
    outcome = failed(7, error)

    assert (outcome.kind, outcome.error) == (Kind.REFUSED, None)
    assert outcome.response
    assert outcome.response["status_code"] == status
    assert outcome.response["body"]["error"]["message"] == error.message


def test_a_status_that_does_not_fit_is_replaced_by_the_one_that_does() -> None:
    words = ("The key is wrong.", None, None)
    outcome = failed(7, provider_error(words, provider="gemini", key=None, status=400, means=401))

    assert outcome.response
    assert outcome.response["status_code"] == 401
    assert outcome.response["body"]["error"]["nightmail"]["status"] == 400


def test_an_error_in_a_200_is_no_answer() -> None:
    words = ("It broke.", None, None)
    outcome = failed(7, provider_error(words, provider="openai", key=None, status=200, means=500))

    assert (outcome.kind, outcome.response) == (Kind.FAILED, None)


@pytest.mark.parametrize(
    "error",
    [
        ProviderTimedOut("It took too long.", provider="openai"),
        ProviderGarbled("It speaks another protocol.", provider="openai", upstream_status=200),
    ],
)
def test_where_there_was_no_answer_the_error_says_why(error: GatewayError) -> None:
    outcome = failed(7, error)

    assert (outcome.kind, outcome.response) == (Kind.FAILED, None)
    assert outcome.error == {"code": error.code, "message": error.message}
