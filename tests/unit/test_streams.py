"""Functions behind response streaming answer with status, headers and a body in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

import pytest
from nightmail.api.streams import as_stream, stepped

from tests.unit.gateway import read_stream


def test_a_text_is_a_stream_of_one_piece() -> None:
    answer = {
        "statusCode": 201,
        "multiValueHeaders": {"content-type": ["application/json"], "x-request-id": ["req_1"]},
        "body": '"\u00fc"',
        "isBase64Encoded": False,
    }

    assert read_stream(as_stream(answer)) == {
        name: answer[name] for name in ("statusCode", "multiValueHeaders", "body")
    }


def test_pieces_stay_pieces() -> None:
    pieces = (piece for piece in [b"one", b"two"])
    answer = {"statusCode": 200, "multiValueHeaders": {}, "body": pieces}

    assert list(as_stream(answer).body) == [b"one", b"two"]


def test_an_answer_without_a_body_has_an_empty_one() -> None:
    assert read_stream(as_stream({"statusCode": 303, "multiValueHeaders": {}, "body": None})) == {
        "statusCode": 303,
        "multiValueHeaders": {},
        "body": "",
    }


class Source:
    """Brings numbers, and knows whether it was closed."""

    def __init__(self) -> None:
        self.brought = 0
        self.is_closed = False

    async def numbers(self) -> AsyncGenerator[int]:
        try:
            while self.brought < 3:
                self.brought += 1
                yield self.brought
                await asyncio.sleep(0)
            raise LookupError
        finally:
            await asyncio.sleep(0)
            self.is_closed = True


def test_an_asynchronous_generator_is_stepped_as_it_is_read() -> None:
    source = Source()
    steps: Generator[int] = stepped(source.numbers())

    assert (next(steps), source.brought) == (1, 1)
    assert (next(steps), source.brought) == (2, 2)
    steps.close()

    assert source.is_closed


def test_what_an_asynchronous_generator_raises_comes_out_behind_its_pieces() -> None:
    source = Source()
    steps = stepped(source.numbers())

    assert [next(steps) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(LookupError):
        next(steps)
    assert source.is_closed
