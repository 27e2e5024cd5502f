"""Functions behind response streaming write status, headers and body as one stream."""

from __future__ import annotations

from nightmail.api.streams import as_stream

from tests.unit.gateway import read_stream


def test_it_is_json_eight_zero_bytes_and_the_body() -> None:
    answer = {
        "statusCode": 201,
        "multiValueHeaders": {"content-type": ["text/event-stream"], "x-request-id": ["req_1"]},
        "body": "data: \u00fc\n\n",
        "isBase64Encoded": False,
    }

    stream = as_stream(answer)

    assert stream.count(bytes(8)) == 1
    assert read_stream(stream) == {
        name: answer[name] for name in ("statusCode", "multiValueHeaders", "body")
    }


def test_an_answer_without_a_body_has_an_empty_one() -> None:
    assert read_stream(as_stream({"statusCode": 303, "multiValueHeaders": {}, "body": None})) == {
        "statusCode": 303,
        "multiValueHeaders": {},
        "body": "",
    }
