"""What a race tells in headers is ASCII and never too long."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from nightmail.api.race_headers import race_headers

REPORT = [
    {"model": "slow", "outcome": "cancelled", "milliseconds": 12},
    {"model": "fast", "outcome": "won", "milliseconds": 12},
]


def test_it_names_the_winner_and_what_became_of_each() -> None:
    headers = race_headers("fast", REPORT)

    assert headers["x-nightmail-winner"] == "fast"
    assert json.loads(headers["x-nightmail-race"]) == REPORT
    assert headers["x-litellm-fastest_response_batch_completion"] == "True"


def test_a_report_that_is_too_long_ends_early() -> None:
    report = [{**REPORT[0], "model": f"model-{number}"} for number in range(1000)]

    told = json.loads(race_headers("fast", report)["x-nightmail-race"])

    assert told == report[: len(told)]
    assert 20 < len(told) < 1000


@given(st.text())
def test_any_name_makes_a_header(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return  # no JSON body can hold it
    for value in race_headers(name, [{"model": name}]).values():
        assert value.isascii()
        assert value.isprintable()
