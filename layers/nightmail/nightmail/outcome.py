"""Outcomes: what became of each line, as rows that sort by line number.

A row is `000000000012 0 {...}`: the line's number in twelve digits, its kind in one, then the tail of
the line of the result file. Rows sort as bytes, the best outcome of a line first, so a line that a
provider answered twice needs no more than a look at the row before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

_NUMBER_DIGITS = 12
_TAIL_AT = _NUMBER_DIGITS + 3


class Kind(IntEnum):
    """Best first. Only ANSWERED lines go to the output file."""

    ANSWERED = 0  # HTTP 2xx
    REFUSED = 1  # another HTTP status: `response` holds the API's error
    FAILED = 2  # no answer: `error` says why


@dataclass(frozen=True)
class Outcome:
    """One line's end: `response` for the first two kinds, `error` (code, message) for the third.

    A `response` that is no answer may stand beside an `error`.
    """

    number: int
    kind: Kind
    response: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    details: dict[str, Any] | None = None  # the `nightmail` object of the result line


def to_row(outcome: Outcome) -> bytes:
    """The outcome as a row, with its newline."""
    tail: dict[str, Any] = {"response": outcome.response, "error": outcome.error}
    if outcome.details:
        tail["nightmail"] = outcome.details
    head = f"{outcome.number:0{_NUMBER_DIGITS}d} {outcome.kind.value} "
    return head.encode() + orjson.dumps(tail) + b"\n"


def number_of(row: bytes) -> int:
    """The line a row belongs to."""
    return int(row[:_NUMBER_DIGITS])


def kind_of(row: bytes) -> Kind:
    """How the line of a row ended."""
    return Kind(int(row[_NUMBER_DIGITS + 1 : _NUMBER_DIGITS + 2]))


def answer_in(row: bytes) -> dict[str, Any]:
    """The body of the answer in an ANSWERED row."""
    body: dict[str, Any] = orjson.loads(row[_TAIL_AT:])["response"]["body"]
    return body


def result_line(batch_id: str, number: int, custom_id: bytes, row: bytes) -> bytes:
    """A line of the output or error file, spliced: `custom_id` is JSON text, `row` has its newline."""
    identity = f'{{"id":"batch_req_{batch_id[-20:]}{number:012x}","custom_id":'.encode()
    return identity + custom_id + b"," + row[_TAIL_AT + 1 :]
