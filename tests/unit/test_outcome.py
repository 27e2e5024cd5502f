"""Rows of outcomes: they sort by line and by worth, and become lines of result files unchanged."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.cost import UNKNOWN, Cost
from nightmail.outcome import (
    Kind,
    Outcome,
    bill_of,
    billed,
    is_answered,
    kind_of,
    number_in_result,
    number_of,
    outcome_in,
    result_line,
    to_row,
)
from nightmail.usage import Usage

from tests.unit.samples import BATCH_ID

NUMBERS = st.integers(1, 10**12 - 1)
KINDS = st.sampled_from(Kind)


@given(st.lists(st.tuples(NUMBERS, KINDS)))
def test_rows_sort_by_line_and_the_best_outcome_first(wanted: list[tuple[int, Kind]]) -> None:
    rows = sorted(to_row(Outcome(number, kind)) for number, kind in wanted)
    assert [(number_of(row), kind_of(row)) for row in rows] == sorted(wanted)


@given(st.text(), st.text())
def test_a_result_line_is_the_custom_id_and_the_outcome(custom_id: str, answer: str) -> None:
    outcome = Outcome(12, Kind.ANSWERED, {"status_code": 200, "body": answer}, details={"a": 1})
    line = result_line(BATCH_ID, 12, json.dumps(custom_id).encode(), to_row(outcome))
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "id": "batch_req_00000000000000000001" + "00000000000c",
        "custom_id": custom_id,
        "response": {"status_code": 200, "body": answer},
        "error": None,
        "nightmail": {"a": 1},
    }


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ({"request_id": "", "body": {"id": "chatcmpl-1"}}, {"request_id": "chatcmpl-1"}),
        ({"request_id": "req_1", "body": {"id": "chatcmpl-1"}}, {"request_id": "req_1"}),
        ({"request_id": "", "body": {"error": {}}}, {}),
        ({"request_id": "", "body": {"id": 5}}, {}),
        ({"request_id": "", "body": "text"}, {}),
    ],
)
def test_a_request_id_that_nobody_told_is_the_answers_or_left_out(
    response: dict[str, Any], told: dict[str, str]
) -> None:
    row = to_row(Outcome(1, Kind.ANSWERED, {"status_code": 200, **response}))
    assert outcome_in(row).response == {"status_code": 200, "body": response["body"], **told}


def test_a_line_without_details_has_openais_fields_alone() -> None:
    error = {"code": "batch_expired", "message": "Too late."}
    line = json.loads(
        result_line(BATCH_ID, 1, b'"c"', to_row(Outcome(1, Kind.FAILED, error=error)))
    )
    assert line.keys() == {"id", "custom_id", "response", "error"}
    assert line["response"] is None
    assert line["error"] == error


@given(NUMBERS, KINDS)
def test_a_row_tells_what_it_was_made_of(number: int, kind: Kind) -> None:
    outcome = Outcome(number, kind, {"status_code": 200, "body": {}}, {"code": "c"}, {"lane": "x"})
    assert outcome_in(to_row(outcome)) == outcome
    assert is_answered(to_row(outcome)) is (kind is Kind.ANSWERED)
    line = result_line(BATCH_ID, number, b'"c"', to_row(outcome))
    assert number_in_result(line) == number


def an_answer(cost: Cost) -> Outcome:
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    response = {"status_code": 200, "body": {"model": "fast", "usage": usage}}
    outcome = Outcome(3, Kind.ANSWERED, response, details={"provider": "openai", "model": "m"})
    return billed(outcome, "native", cost)


# A price is a few digits for a million tokens.
AMOUNTS = st.integers(0, 10**12).map(lambda digits: Decimal(digits).scaleb(-12))


@given(st.none() | AMOUNTS, st.none() | AMOUNTS)
def test_from_a_row_its_bill_can_be_read_again(
    amount: Decimal | None, synchronous: Decimal | None
) -> None:
    cost = Cost(amount=amount, synchronous=synchronous)
    outcome = an_answer(cost)
    bill = bill_of(outcome_in(to_row(outcome)))
    assert bill == bill_of(outcome)
    assert bill.key == ("fast", "openai", "native")
    assert bill.lines == 1
    assert bill.usage == Usage(input_tokens=5, output_tokens=7)
    assert bill.cost == cost


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (
            Cost(amount=Decimal("0.5"), synchronous=Decimal(1)),
            {"cost": 0.5, "synchronous_cost": 1.0},
        ),
        (Cost(amount=Decimal(1), synchronous=Decimal(1)), {"cost": 1.0}),
        (UNKNOWN, {"cost": None}),
    ],
)
def test_the_details_of_an_answer_tell_its_lane_and_its_cost(
    cost: Cost, told: dict[str, float | None]
) -> None:
    details = {"provider": "openai", "model": "m", "lane": "native"}
    assert an_answer(cost).details == {**details, **told}


def test_the_cost_of_an_answer_that_has_no_bill_is_not_known() -> None:
    outcome = Outcome(3, Kind.ANSWERED, {"status_code": 200, "body": {"model": "fast"}})
    bill = bill_of(outcome)
    assert (bill.model, bill.cost) == ("fast", UNKNOWN)
