"""The provider simulator: what it can be made to do wrong with a batch and its results."""

from __future__ import annotations

import pytest

from tests.simulated import Provider, chat, line

LINES = [line(number) for number in range(1, 9)]


def test_a_batch_can_fail_once_with_given_errors(provider: Provider) -> None:
    error = {"code": "token_limit_exceeded", "message": "Full.", "param": None, "line": None}
    provider.simulator.behave({"kind": "failed_batch", "errors": [error], "times": 1})
    first, second = provider.finish(LINES), provider.finish(LINES)

    assert (first["status"], first["errors"]["data"]) == ("failed", [error])
    assert second["status"] == "completed"


def test_a_stuck_batch_goes_on_when_it_is_released(provider: Provider) -> None:
    provider.simulator.behave(
        {"kind": "stuck_batch", "name": "one", "match": {"metadata": {"shard": "1"}}}
    )
    stuck = provider.submit(LINES, metadata={"shard": "1"})
    assert provider.finish(LINES, metadata={"shard": "2"})["status"] == "completed"

    provider.simulator.until_waiting("one")
    assert provider.look(stuck)["status"] == "in_progress"
    provider.simulator.release("one")
    assert provider.end(stuck)["status"] == "completed"


def test_an_odd_status_is_shown_for_so_many_polls(provider: Provider) -> None:
    provider.simulator.behave({"kind": "odd_status", "word": "queued", "polls": 2})
    batch_id = provider.submit(LINES)
    provider.simulator.until_final(batch_id)

    looks = [provider.look(batch_id)["status"] for _ in range(3)]

    assert looks == ["queued", "queued", "completed"]


def test_counts_and_the_output_file_can_come_late(provider: Provider) -> None:
    provider.simulator.behave(
        {"kind": "lagging_counts", "polls": 1}, {"kind": "late_output", "polls": 2}
    )
    batch_id = provider.submit(LINES)
    provider.simulator.until_final(batch_id)
    looks = [provider.look(batch_id) for _ in range(3)]

    assert {look["status"] for look in looks} == {"completed"}
    assert [look["request_counts"]["total"] for look in looks] == [0, 8, 8]
    assert [look["output_file_id"] is None for look in looks] == [True, True, False]


def test_an_absent_error_file_can_be_an_empty_string(provider: Provider) -> None:
    provider.simulator.behave({"kind": "empty_error_file"})

    assert provider.finish(LINES)["error_file_id"] == ""


def test_a_batch_can_vanish(provider: Provider) -> None:
    provider.simulator.behave({"kind": "vanished_batch", "after_polls": 1})
    batch_id = provider.submit(LINES)
    statuses = [provider.http.get(f"/batches/{batch_id}").status_code for _ in range(2)]

    assert statuses == [200, 404]
    assert provider.http.get("/batches").json()["data"] == []
    assert len(provider.simulator.batches()) == 1


def test_result_lines_can_be_missing_double_garbage_or_nobodys(provider: Provider) -> None:
    true = provider.content(provider.finish(LINES)["output_file_id"]).splitlines()
    spoiled: dict[str, list[bytes]] = {}
    for kind in ("missing", "duplicated", "garbage", "unknown_ids"):
        provider.simulator.behave({"kind": kind, "lines": 2})
        batch = provider.finish(LINES)
        spoiled[kind] = provider.content(batch["output_file_id"]).splitlines()
        assert batch["request_counts"]["completed"] == len(true)

    assert len(spoiled["missing"]) == len(true) - 2
    assert len(spoiled["duplicated"]) == len(true) + 2
    assert spoiled["duplicated"][0] == spoiled["duplicated"][1]
    assert sum(b"not a line of JSON" in one for one in spoiled["garbage"]) == 2
    assert sum(b'"nobody-sent-this-' in one for one in spoiled["unknown_ids"]) == 2
    assert len(spoiled["garbage"]) == len(spoiled["unknown_ids"]) == len(true) + 2


@pytest.mark.parametrize("mid_line", [False, True])
def test_a_result_file_can_be_truncated(provider: Provider, mid_line: bool) -> None:
    provider.simulator.behave({"kind": "truncated", "mid_line": mid_line})
    content = provider.content(provider.finish(LINES)["output_file_id"])
    *whole, rest = content.split(b"\n")

    assert 0 < len(whole) < len(LINES)
    assert all(one.endswith(b"}") for one in whole)
    assert bool(rest) is mid_line


def test_the_error_file_can_be_spoiled_instead(provider: Provider) -> None:
    provider.simulator.behave({"kind": "missing", "file": "error"})
    failing = [line(number, chat(f"{number} [[fail:400]]")) for number in (9, 10)]
    batch = provider.finish([*LINES, *failing])

    assert len(provider.results(batch["output_file_id"])) == len(LINES)
    assert len(provider.results(batch["error_file_id"])) == 1
