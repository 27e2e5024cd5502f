"""The provider simulator: what it refuses when a batch is created, and when its file is checked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated import Json, Provider, as_jsonl, chat, line

LINES = [line(number) for number in range(1, 9)]


def without(name: str) -> Json:
    return {key: value for key, value in line(2).items() if key != name}


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        ("{", "invalid_json_line", None),
        ("", "invalid_json_line", None),
        ("[]", "invalid_json_line", None),
        (without("custom_id"), "missing_required_parameter", "custom_id"),
        (without("method"), "missing_required_parameter", "method"),
        (without("url"), "missing_required_parameter", "url"),
        (without("body"), "missing_required_parameter", "body"),
        (line(1), "duplicate_custom_id", "custom_id"),
        (line(2, method="GET"), "invalid_method", "method"),
        (line(2, url="/v1/embeddings"), "invalid_url", "url"),
        (line(2, {"messages": [{}]}), "invalid_request", "body.model"),
        (line(2, {"model": "gpt-5-mini"}), "invalid_request", "body.messages"),
        (line(2, {**chat("Hi"), "model": "other"}), "mismatched_model", "body.model"),
        (line(2, chat("Hi", stream=True)), "streaming_unsupported", "body.stream"),
    ],
)
def test_a_bad_line_fails_the_batch_before_anything_runs(
    provider: Provider, bad: str | Json, code: str, param: str | None
) -> None:
    second = bad.encode() + b"\n" if isinstance(bad, str) else as_jsonl([bad])
    batch = provider.finish(as_jsonl([line(1)]) + second + as_jsonl([line(3)]))
    (error,) = batch["errors"]["data"]

    assert batch["status"] == "failed"
    assert (error["code"], error["param"], error["line"]) == (code, param, 2)
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert provider.simulator.attempts() == {}


def test_every_bad_line_is_told(provider: Provider) -> None:
    batch = provider.finish(as_jsonl([line(1)]) + b"{\n{\n" + as_jsonl([line(1)]))

    assert [error["line"] for error in batch["errors"]["data"]] == [2, 3, 4]


def test_a_byte_order_mark_is_a_bad_line(provider: Provider) -> None:
    batch = provider.finish(b"\xef\xbb\xbf" + as_jsonl(LINES))

    assert batch["errors"]["data"][0]["code"] == "invalid_json_line"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n"])
def test_a_file_may_end_with_or_without_a_newline(provider: Provider, ending: bytes) -> None:
    batch = provider.finish(as_jsonl(LINES).rstrip(b"\n") + ending)

    assert batch["request_counts"]["completed"] == len(LINES)


def test_too_many_lines_and_too_many_bytes_fail_the_batch(provider: Provider) -> None:
    provider.simulator.set(max_lines=7)
    assert provider.finish(LINES)["errors"]["data"][0]["code"] == "too_many_tasks"

    provider.simulator.set(max_bytes=100)
    (error,) = provider.finish(LINES)["errors"]["data"]
    assert "larger than the 100 maximum" in error["message"]


def test_an_unknown_or_deleted_input_file_fails_the_batch(provider: Provider) -> None:
    file_id = provider.upload(as_jsonl(LINES)).json()["id"]
    provider.http.delete(f"/files/{file_id}")

    batch = provider.end(provider.create(file_id).json()["id"])

    assert batch["status"] == "failed"
    assert f"Cannot find file {file_id}" in batch["errors"]["data"][0]["message"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"endpoint": "/v1/x"}, "endpoint"),
        ({"endpoint": None}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"tags": ["a"]}}, "metadata.tags"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        (
            {"output_expires_after": {"anchor": "now", "seconds": 3600}},
            "output_expires_after.anchor",
        ),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 9}},
            "output_expires_after.seconds",
        ),
        ({"nightmail": {}}, "nightmail"),
    ],
)
def test_a_wrong_create_is_refused(provider: Provider, more: dict[str, Any], param: str) -> None:
    answer = provider.create("file-x", **more)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert provider.simulator.batches() == []
