"""Input files with bad lines and with odd ones, from the upload to the batch's end."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.contract.calls import create_batch, look, results
from tests.contract.life import Life
from tests.simulated import as_jsonl, chat, line
from tests.template import Json

GOOD = as_jsonl([line(1)])


def run(http: httpx.Client, life: Life, content: bytes) -> Json:
    batch_id = create_batch(http, content)
    life.run("admin", batch_id)
    return look(http, batch_id)


def as_line(**changes: Any) -> bytes:
    """A good line with changes; None leaves a field out."""
    changed = {**line(2), **changes}
    return as_jsonl([{name: value for name, value in changed.items() if value is not None}])


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        (b"{not json}\n", "invalid_json_line", None),
        (b"[]\n", "invalid_json_line", None),
        (b"\xef\xbb\xbf" + as_line(), "invalid_json_line", None),
        (as_line().replace(b"Question", b"\xff\xfe"), "invalid_json_line", None),
        (as_line(custom_id=None), "missing_required_parameter", "custom_id"),
        (as_line(method=None), "missing_required_parameter", "method"),
        (as_line(url=None), "missing_required_parameter", "url"),
        (as_line(body=None), "missing_required_parameter", "body"),
        (as_line(custom_id="line-1"), "duplicate_custom_id", "custom_id"),
        (as_line(url="/v1/nothing"), "invalid_url", "url"),
        (as_line(method="GET"), "invalid_method", "method"),
        (as_line(body=chat("Hi", stream=True)), "streaming_unsupported", "body.stream"),
        (as_line(body={"messages": []}), "invalid_request", "body.model"),
        (as_line(body=chat("Hi", model="nobody")), "model_not_found", "body.model"),
    ],
)
def test_a_bad_line_fails_the_batch_and_nothing_was_sent(
    http: httpx.Client,
    life: Life,
    simulator: SimulatorClient,
    *,
    bad: bytes,
    code: str,
    param: str | None,
) -> None:
    batch = run(http, life, GOOD + bad)

    assert batch["status"] == "failed"
    (error,) = batch["errors"]["data"]
    assert (error["code"], error["param"], error["line"]) == (code, param, 2)
    assert batch["output_file_id"] is None
    assert simulator.calls() == []


def test_an_unknown_model_fails_the_batch_by_name(
    http: httpx.Client, life: Life, simulator: SimulatorClient
) -> None:
    batch = run(http, life, as_jsonl([line(1, chat("Hi", model="nobody"))]))

    (error,) = batch["errors"]["data"]
    assert (error["code"], error["param"], error["line"]) == ("model_not_found", "body.model", 1)
    assert "nobody" in error["message"]
    assert simulator.calls() == []


def test_every_bad_line_is_named_up_to_a_hundred(http: httpx.Client, life: Life) -> None:
    batch = run(http, life, GOOD + b"{}\n" * 150)

    assert [each["line"] for each in batch["errors"]["data"]] == list(range(2, 102))


@pytest.mark.parametrize(("limit", "size"), [("MAX_BATCH_LINES", "2"), ("MAX_BATCH_BYTES", "100")])
def test_a_file_over_a_limit_fails_and_nothing_was_sent(
    http: httpx.Client,
    life: Life,
    simulator: SimulatorClient,
    monkeypatch: pytest.MonkeyPatch,
    *,
    limit: str,
    size: str,
) -> None:
    monkeypatch.setenv(limit, size)

    batch = run(http, life, as_jsonl([line(number) for number in range(1, 4)]))

    assert batch["status"] == "failed"
    assert size in batch["errors"]["data"][0]["message"]
    assert simulator.calls() == []


@pytest.mark.parametrize(
    "content",
    [
        b"\n\n" + GOOD + b"\n  \n" + as_jsonl([line(2)]) + b"\n",
        (GOOD + as_jsonl([line(2)])).replace(b"\n", b"\r\n"),
        (GOOD + as_jsonl([line(2)])).rstrip(),
        GOOD + json.dumps(line(2, chat("Grüße, 你好 🙂")), ensure_ascii=False).encode(),
        GOOD + as_jsonl([line(2, chat("x" * 1_000_000))]),
    ],
    ids=["blank lines", "CRLF", "no newline at the end", "unicode", "a line of 1 MB"],
)
def test_an_odd_file_is_accepted(http: httpx.Client, life: Life, content: bytes) -> None:
    batch = run(http, life, content)

    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    custom_ids = [each["custom_id"] for each in results(http, batch["output_file_id"])]
    assert custom_ids == ["line-1", "line-2"]


def test_a_custom_id_of_any_characters_comes_back_as_it_was(http: httpx.Client, life: Life) -> None:
    odd = ('"\\/\n\t\x00\u2028é你🙂 ' * 60)[:512]
    batch = run(http, life, as_jsonl([line(1), {**line(2), "custom_id": odd}]))

    custom_ids = [each["custom_id"] for each in results(http, batch["output_file_id"])]
    assert custom_ids == ["line-1", odd]


def test_what_the_provider_refuses_is_told_in_its_words_without_secrets(
    http: httpx.Client, life: Life, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "refused_key"})
    batch = run(http, life, GOOD)

    assert batch["status"] == "failed"
    message = batch["errors"]["data"][0]["message"]
    assert "openai" in message
    assert "API key" in message
    assert "sk-simulator" not in json.dumps(batch)
