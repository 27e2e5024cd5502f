"""The sample events of the functions about files, each with its expected answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nightmail.stores.table import Table

from functions.erase_file import handler as erase_file
from functions.files import handler as files
from functions.join_file import handler as join_file
from functions.uploads import handler as uploads
from tests.unit.gateway import LambdaContext

EVENTS = Path(__file__).parents[2] / "events"
FUNCTIONS = {
    "files": files.handler,
    "uploads": uploads.handler,
    "join_file": join_file.handler,
    "erase_file": erase_file.handler,
}
CASES = sorted(
    path.name.removesuffix(".json")
    for function in FUNCTIONS
    for path in EVENTS.glob(f"{function}.*.json")
    if not path.name.endswith(".expected.json")
)


def assert_within(expected: Any, found: Any) -> None:
    """Every key of `expected` is in `found` with the same value."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_within(value, found[key])
    else:
        assert found == expected


def parsed(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "body": json.loads(answer["body"])} if "body" in answer else answer


@pytest.mark.parametrize("case", CASES)
def test_an_event_has_its_expected_answer(table: Table, case: str) -> None:
    event = json.loads((EVENTS / f"{case}.json").read_text())
    expected = json.loads((EVENTS / f"{case}.expected.json").read_text())

    answer = FUNCTIONS[case.split(".", maxsplit=1)[0]](event, LambdaContext())

    assert_within(parsed(expected), parsed(dict(answer)))


def test_every_function_about_files_has_an_event() -> None:
    assert {case.split(".")[0] for case in CASES} == set(FUNCTIONS)
