"""Rows of outcomes: they sort by line and by worth, and become lines of result files unchanged."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from nightmail.outcome import Kind, Outcome, kind_of, number_of, result_line, to_row

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


def test_a_line_without_details_has_openais_fields_alone() -> None:
    error = {"code": "batch_expired", "message": "Too late."}
    line = json.loads(
        result_line(BATCH_ID, 1, b'"c"', to_row(Outcome(1, Kind.FAILED, error=error)))
    )
    assert line.keys() == {"id", "custom_id", "response", "error"}
    assert line["response"] is None
    assert line["error"] == error
