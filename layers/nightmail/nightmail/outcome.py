"""Outcomes: what became of each line, as rows that sort by line number.

A row is `000000000012 0 {...}`: the line's number in twelve digits, its kind in one, then the tail of
the line of the result file. Rows sort as bytes, the best outcome of a line first, so a line that a
provider answered twice needs no more than a look at the row before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum
from typing import Any

import orjson

from nightmail.bill import Bill, TakenLane
from nightmail.cost import Cost
from nightmail.usage import usage_of

_NUMBER_DIGITS = 12
_KIND_AT = _NUMBER_DIGITS + 1
_ANSWERED = ord("0")
_TAIL_AT = _NUMBER_DIGITS + 3
_MARK_CHARACTERS = 20
_RESULT_NUMBER_AT = len('{"id":"batch_req_') + _MARK_CHARACTERS


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
    tail: dict[str, Any] = {"response": _identified(outcome.response), "error": outcome.error}
    if outcome.details:
        tail["nightmail"] = outcome.details
    head = f"{outcome.number:0{_NUMBER_DIGITS}d} {outcome.kind.value} "
    return head.encode() + orjson.dumps(tail) + b"\n"


def number_of(row: bytes) -> int:
    """The line a row belongs to."""
    return int(row[:_NUMBER_DIGITS])


def kind_of(row: bytes) -> Kind:
    """How the line of a row ended."""
    return Kind(int(row[_KIND_AT : _KIND_AT + 1]))


def is_answered(row: bytes) -> bool:
    """Whether its kind is ANSWERED."""
    return row[_KIND_AT] == _ANSWERED


def billed(outcome: Outcome, lane: TakenLane, cost: Cost) -> Outcome:
    """An ANSWERED outcome that tells its lane and what it cost: all that `bill_of` reads.

    Amounts are JSON numbers in US dollars; the synchronous one stands there where it differs.
    """
    details = {**(outcome.details or {}), "lane": lane, "cost": _number(cost.amount)}
    if cost.synchronous != cost.amount:
        details["synchronous_cost"] = _number(cost.synchronous)
    return replace(outcome, details=details)


def bill_of(outcome: Outcome) -> Bill:
    """What one ANSWERED outcome adds to the bills. Of one that was not `billed` the cost is not known."""
    body, details = (outcome.response or {}).get("body") or {}, outcome.details or {}
    amount = details.get("cost")
    return Bill(
        model=str(body.get("model", "")),
        provider=str(details.get("provider", "")),
        lane=details.get("lane", "direct"),
        lines=1,
        usage=usage_of(body),
        cost=Cost(
            amount=_amount(amount), synchronous=_amount(details.get("synchronous_cost", amount))
        ),
    )


def outcome_in(row: bytes) -> Outcome:
    """What `to_row` made the row of."""
    tail = orjson.loads(row[_TAIL_AT:])
    return Outcome(
        number_of(row), kind_of(row), tail["response"], tail["error"], tail.get("nightmail")
    )


def result_line(batch_id: str, number: int, custom_id: bytes, row: bytes) -> bytes:
    """A line of the output or error file, spliced: `custom_id` is JSON text, `row` has its newline."""
    return b'{"id":"batch_req_%b%012x","custom_id":%b,%b' % (
        batch_id[-_MARK_CHARACTERS:].encode(),
        number,
        custom_id,
        row[_TAIL_AT + 1 :],
    )


def number_in_result(line: bytes) -> int:
    """The number of the line of the input that a line of a result file answers."""
    return int(line[_RESULT_NUMBER_AT : _RESULT_NUMBER_AT + _NUMBER_DIGITS], 16)


def _identified(response: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of a request whose id its provider does not tell, the answer's id stands for it, or none."""
    if response is None or response.get("request_id") != "":
        return response
    body = response.get("body")
    identity = body.get("id") if isinstance(body, dict) else None
    known = {"request_id": identity} if isinstance(identity, str) and identity else {}
    return {name: value for name, value in response.items() if name != "request_id"} | known


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _amount(number: float | None) -> Decimal | None:
    """As it was written: a sum of such amounts has no error of binary fractions."""
    return None if number is None else Decimal(repr(number))
