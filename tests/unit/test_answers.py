"""An answer that is too big for Lambda lies in the bucket, and its caller is sent there."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from aws_lambda_powertools.event_handler import Response
from nightmail.api.answers import Answers
from nightmail.api.wire import JSON
from nightmail.stores.objects import ObjectStore


def answer(body: str) -> Response[str]:
    return Response(200, JSON, body, {"x-nightmail-winner": "fast"})


@pytest.mark.parametrize("body", ["{}", "x" * 4_900_000], ids=["small", "nearly too big"])
def test_what_fits_is_answered_as_it_is(objects: ObjectStore, body: str) -> None:
    given = answer(body)

    assert Answers(objects).fit("alice", given) is given
    assert list(objects.segments("answers/")) == []


@pytest.mark.parametrize("body", ["x" * 5_000_001, '"' * 2_500_001, "\U0001f600" * 420_000])
def test_what_does_not_fit_is_a_redirect_to_it(objects: ObjectStore, body: str) -> None:
    """Lambda writes a body as a JSON string, where some characters become more."""
    sent = Answers(objects).fit("alice", answer(body))

    (segment,) = objects.segments("answers/alice/")
    assert sent.status_code == 303
    assert sent.body == ""
    assert objects.get(segment.key) == body.encode()
    assert urlsplit(str(sent.headers["location"])).path.endswith(segment.key)
    assert sent.headers["x-nightmail-winner"] == "fast"


def test_no_two_answers_lie_in_one_place(objects: ObjectStore) -> None:
    for _ in range(2):
        Answers(objects).fit("alice", answer("x" * 5_000_001))

    assert len(list(objects.segments("answers/alice/"))) == 2
