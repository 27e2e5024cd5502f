"""Pages of lists: no answer is larger than a Lambda function may give."""

from __future__ import annotations

import json

import orjson
from nightmail.api.pages import fitting_page

ANSWER_LIMIT = 6_000_000


def entries(count: int, text: str) -> list[dict[str, str]]:
    return [{"id": f"batch_{number}", "text": text} for number in range(count)]


def test_a_page_of_big_entries_ends_where_an_answer_of_a_function_does() -> None:
    wanted, seen = entries(30, '"' * 100_000), 0
    while seen < len(wanted):
        page = fitting_page(iter(wanted[seen:]), 30)
        assert len(json.dumps(orjson.dumps(page).decode())) < ANSWER_LIMIT
        assert 0 < len(page["data"]) < len(wanted)
        assert page["data"] == wanted[seen : seen + len(page["data"])]
        seen += len(page["data"])
        assert page["has_more"] is (seen < len(wanted))


def test_an_entry_that_fills_an_answer_is_given_alone() -> None:
    page = fitting_page(iter(entries(2, "x" * 5_000_000)), 30)

    assert [entry["id"] for entry in page["data"]] == ["batch_0"]
    assert page["has_more"] is True


def test_a_page_reads_no_more_than_one_entry_beyond_its_end() -> None:
    source = iter(entries(10, ""))

    assert len(fitting_page(source, 3)["data"]) == 3
    assert next(source)["id"] == "batch_4"
