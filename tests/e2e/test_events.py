"""Every event under `events/`, through its function in AWS's runtime client, gives what stands beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.build import ROOT
from tests.e2e.conftest import RunningCloud

EVENTS = ROOT / "events"
EXPECTED = ".expected.json"


def cases() -> list[Path]:
    return sorted(path for path in EVENTS.glob("*.json") if not path.name.endswith(EXPECTED))


def functions() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


def assert_contains(answer: Any, expected: Any, place: str = "answer") -> None:
    """Every expected key is in the answer; a body is compared as the JSON that it is."""
    if isinstance(expected, dict):
        assert isinstance(answer, dict), f"{place} is {answer!r}"
        for key, value in expected.items():
            assert key in answer, f"{place} has no {key}: {answer!r}"
            read = json.loads if key == "body" and value else lambda text: text
            assert_contains(read(answer[key]), read(value), f"{place}.{key}")
    else:
        assert answer == expected, f"{place} is {answer!r}, not {expected!r}"


def _read(payload: bytes) -> Any:
    """A function's answer: JSON, or a stream for API Gateway, which the emulator makes JSON text."""
    answer = json.loads(payload)
    if not isinstance(answer, str):
        return answer
    head, _, body = answer.partition("\0" * 8)
    return {**json.loads(head), "body": body}


@pytest.mark.parametrize("path", cases(), ids=lambda path: path.stem)
def test_an_event_gives_its_expected_answer(path: Path, cloud: RunningCloud) -> None:
    expected = json.loads((EVENTS / (path.stem + EXPECTED)).read_text())
    function = path.name.split(".")[0]
    event = path.read_text().replace("sk-1234", cloud.key)
    answer = cloud.session.client("lambda").invoke(
        FunctionName=cloud.function_name(function), Payload=event
    )
    payload = _read(answer["Payload"].read())
    if "errorType" not in expected:
        assert "FunctionError" not in answer, payload
    assert_contains(payload, expected)


def test_every_function_has_an_event() -> None:
    assert {path.name.split(".")[0] for path in cases()} == set(functions())
