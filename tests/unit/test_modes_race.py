"""One prompt to many models: the first success, the others stopped. Gated by events, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import AllModelsFailed, CredentialMissing, GatewayError, ProviderTimedOut
from nightmail.modes.asked import OnePrompt
from nightmail.modes.contest import Answer, Entrant, hold
from nightmail.modes.race import race, stream_race
from nightmail.modes.requests import parse_models

from tests.unit.scripted_engine import (
    END,
    ROLE,
    Script,
    answer,
    chunk,
    rejected,
    scripted,
    throttled,
    unavailable,
)
from tests.unit.virtual_time import in_virtual_time, settled

HELD = asyncio.Event  # nobody sets it
HELLO = [ROLE, chunk(content="Hello"), END]


def asked(*models: str, **fields: Any) -> OnePrompt:
    messages = [{"role": "user", "content": "Hi"}]
    return parse_models({"models": list(models), "messages": messages, **fields}, fastest=True)


def outcomes(report: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["model"], line["outcome"]) for line in report]


@pytest.mark.parametrize(
    "models",
    [("slow", "fast", "bad"), ("slow", "bad", "fast"), ("fast", "slow", "bad"),
     ("fast", "bad", "slow"), ("bad", "slow", "fast"), ("bad", "fast", "slow")],
)  # fmt: skip
@in_virtual_time
async def test_the_first_success_wins_and_the_loser_is_cancelled_whatever_the_order(
    models: tuple[str, ...],
) -> None:
    gate = asyncio.Event()
    engine, runner = scripted(
        slow=[HELD(), answer("slow")], fast=[gate, answer("fast")], bad=[unavailable()]
    )
    racing = asyncio.create_task(race(asked(*models), runner))
    await engine.begun["slow"].wait()
    gate.set()
    raced = await racing
    assert raced.winner == "fast"
    assert raced.body["choices"][0]["message"]["content"] == "fast"
    assert engine.gone == {"slow": 1}
    told = {"slow": "cancelled", "fast": "won", "bad": "failed"}
    assert outcomes(raced.report) == [(model, told[model]) for model in models]


@in_virtual_time
async def test_the_report_tells_milliseconds_and_the_status_of_a_failure() -> None:
    _, runner = scripted(slow=[HELD()], fast=[answer()], bad=[rejected(400, "no_such_thing")])
    raced = await race(asked("slow", "fast", "bad"), runner)
    assert raced.report == [
        {"model": "slow", "outcome": "cancelled", "milliseconds": 0},
        {"model": "fast", "outcome": "won", "milliseconds": 0},
        {
            "model": "bad",
            "outcome": "failed",
            "milliseconds": 0,
            "status": 400,
            "code": "no_such_thing",
        },
    ]


@in_virtual_time
async def test_the_milliseconds_of_each_model_are_its_own() -> None:
    gate = asyncio.Event()
    _, runner = scripted(bad=[unavailable()], slow=[HELD()], fast=[gate, answer()])
    racing = asyncio.create_task(race(asked("bad", "slow", "fast"), runner))
    await asyncio.sleep(2)
    gate.set()
    assert [line["milliseconds"] for line in (await racing).report] == [0, 2000, 2000]


@in_virtual_time
async def test_all_models_are_asked_the_same_under_their_own_names() -> None:
    engine, runner = scripted(a=[unavailable()], b=[answer()])
    await race(asked("a", "b", temperature=0, hedge_after_ms=None), runner)
    assert [call.body["model"] for call in engine.calls] == ["a", "b"]
    assert {call.body["temperature"] for call in engine.calls} == {0}
    assert {frozenset(call.body) for call in engine.calls} == {
        frozenset({"model", "messages", "temperature"})
    }


@pytest.mark.parametrize(
    "flawed", [answer(""), answer(None), answer("Ha", finish_reason="content_filter")]
)
@in_virtual_time
async def test_an_empty_or_filtered_answer_fails_while_another_may_succeed(
    flawed: dict[str, Any],
) -> None:
    gate = asyncio.Event()
    engine, runner = scripted(empty=[flawed], good=[gate, answer("good")])
    racing = asyncio.create_task(race(asked("empty", "good"), runner))
    await engine.begun["good"].wait()
    await settled()
    assert not racing.done()
    gate.set()
    raced = await racing
    assert raced.winner == "good"
    assert raced.report[0]["outcome"] == "failed"
    assert raced.report[0]["status"] == 200
    assert raced.report[0]["code"] in {"empty_answer", "content_filter"}


@in_virtual_time
async def test_where_nobody_succeeds_the_first_empty_answer_is_better_than_an_error() -> None:
    gate = asyncio.Event()
    gate.set()
    _, runner = scripted(bad=[unavailable()], late=[gate, answer(None)], empty=[answer("")])
    raced = await race(asked("bad", "empty", "late"), runner)
    assert raced.winner == "empty"
    assert outcomes(raced.report) == [("bad", "failed"), ("empty", "won"), ("late", "failed")]


@in_virtual_time
async def test_a_duplicate_runs_twice_and_an_unknown_model_is_a_failed_runner() -> None:
    engine, runner = scripted(a=[HELD()], b=[answer()])
    raced = await race(asked("a", "a", "nobody", "b"), runner)
    assert engine.asked["a"] == engine.gone["a"] == 2
    assert raced.winner == "b"
    assert raced.report[2]["status"] == 404
    assert raced.report[2]["code"] == "model_not_found"


@in_virtual_time
async def test_all_failures_are_one_error_that_tells_each() -> None:
    _, runner = scripted(a=[throttled(7)], b=[rejected(400)], c=[throttled(3)])
    with pytest.raises(AllModelsFailed) as caught:
        await race(asked("a", "b", "nobody", "c"), runner)
    error = caught.value
    assert error.http_status == 429
    assert error.retry_after_seconds == 3
    assert [(line["model"], line["status"]) for line in error.models] == [
        ("a", 429),
        ("b", 400),
        ("nobody", 404),
        ("c", 429),
    ]
    assert error.models[0]["message"] == "Too many requests."
    assert error.models[0]["code"] == "rate_limit_exceeded"
    assert error.models[0]["nightmail"] == {"provider": "openai", "status": 429}


@pytest.mark.parametrize(
    ("errors", "status", "kind"),
    [
        ([unavailable(), unavailable()], 502, "server_error"),
        ([rejected(400), rejected(400)], 400, "invalid_request_error"),
        ([rejected(413), rejected(413)], 413, "invalid_request_error"),
        ([throttled(), throttled()], 429, "rate_limit_exceeded"),
        ([unavailable(), throttled()], 429, "server_error"),
        ([rejected(400), unavailable()], 502, "server_error"),
        ([unavailable(), ProviderTimedOut("", provider="p")], 502, "server_error"),
        ([rejected(400), rejected(404)], 400, "invalid_request_error"),
        ([rejected(400), CredentialMissing("no key")], 502, "server_error"),
    ],
)
@in_virtual_time
async def test_the_status_of_a_lost_race_is_the_common_one_or_what_helps_most(
    errors: list[GatewayError], status: int, kind: str
) -> None:
    _, runner = scripted(a=[errors[0]], b=[errors[1]])
    with pytest.raises(AllModelsFailed) as caught:
        await race(asked("a", "b"), runner)
    assert caught.value.http_status == status
    assert caught.value.type == kind
    assert caught.value.code == "all_models_failed"
    assert caught.value.retry_after_seconds is None


@in_virtual_time
async def test_a_hedged_model_starts_only_when_those_before_it_have_not_answered() -> None:
    engine, runner = scripted(a=[HELD()], b=[HELD()], c=[answer("c")], d=[answer("d")])
    raced = await race(asked("a", "b", "c", "d", hedge_after_ms=250), runner)
    assert raced.winner == "c"
    assert engine.asked == {"a": 1, "b": 1, "c": 1}
    assert [line["milliseconds"] for line in raced.report] == [500, 250, 0, 0]
    assert outcomes(raced.report)[3] == ("d", "cancelled")


@in_virtual_time
async def test_a_hedge_that_is_not_needed_asks_nobody_else() -> None:
    engine, runner = scripted(a=[answer("a")], b=[answer("b")])
    assert (await race(asked("a", "b", hedge_after_ms=250), runner)).winner == "a"
    assert engine.asked == {"a": 1}


@pytest.mark.parametrize("failure", [unavailable(), answer("")])
@in_virtual_time
async def test_a_failure_starts_the_hedge_at_once(failure: Any) -> None:
    engine, runner = scripted(a=[failure], b=[answer("b")], c=[answer("c")])
    raced = await race(asked("a", "b", "c", hedge_after_ms=60_000), runner)
    assert raced.winner == "b"
    assert engine.asked == {"a": 1, "b": 1}
    assert asyncio.get_running_loop().time() < 1


@in_virtual_time
async def test_a_cancelled_race_stops_everybody() -> None:
    engine, runner = scripted(a=[HELD()], b=[HELD()])
    racing = asyncio.create_task(race(asked("a", "b"), runner))
    await engine.begun["b"].wait()
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert engine.gone == {"a": 1, "b": 1}


@in_virtual_time
async def test_what_nobody_foresaw_stops_everybody_and_is_seen() -> None:
    gone = asyncio.Event()

    async def wait() -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        raise AssertionError

    async def fail() -> Answer:
        await asyncio.sleep(0)
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        await hold([Entrant("a", wait), Entrant("b", fail)], None)
    assert gone.is_set()


@in_virtual_time
async def test_a_fault_within_a_call_is_a_failed_runner() -> None:
    _, runner = scripted(a=[], b=[answer("b")])
    raced = await race(asked("a", "b"), runner)
    assert raced.winner == "b"
    assert (raced.report[0]["status"], raced.report[0]["code"]) == (500, "internal_error")


@in_virtual_time
async def test_at_the_deadline_each_model_has_failed() -> None:
    engine, runner = scripted(None, 25.0, a=[HELD()], b=[HELD()])
    with pytest.raises(AllModelsFailed) as caught:
        await race(asked("a", "b"), runner)
    assert caught.value.http_status == 504
    assert engine.gone == {"a": 1, "b": 1}


# Streams


@in_virtual_time
async def test_the_first_content_wins_not_the_first_open_connection() -> None:
    gate = asyncio.Event()
    engine, runner = scripted(
        early=[ROLE, chunk(reasoning_content="Hm."), HELD(), *HELLO],
        talks=[gate, *HELLO],
    )
    racing = asyncio.create_task(stream_race(asked("early", "talks", stream=True), runner))
    await engine.begun["early"].wait()
    await settled()
    assert not racing.done()
    gate.set()
    raced = await racing
    assert raced.winner == "talks"
    assert outcomes(raced.report) == [("early", "cancelled"), ("talks", "won")]
    assert engine.gone == {"early": 1}
    assert [piece async for piece in raced.chunks] == HELLO


@in_virtual_time
async def test_a_tool_call_wins_as_content_does() -> None:
    tool = chunk(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "f"}}])
    _, runner = scripted(a=[ROLE, HELD()], b=[ROLE, tool, END])
    raced = await stream_race(asked("a", "b", stream=True), runner)
    assert raced.winner == "b"
    assert [piece async for piece in raced.chunks] == [ROLE, tool, END]


@in_virtual_time
async def test_a_stream_that_fails_or_ends_without_content_does_not_win() -> None:
    gate = asyncio.Event()
    _, runner = scripted(
        broken=[ROLE, unavailable()],
        filtered=[ROLE, chunk("content_filter")],
        good=[gate, *HELLO],
    )
    request = asked("broken", "filtered", "good", stream=True)
    racing = asyncio.create_task(stream_race(request, runner))
    await settled()
    gate.set()
    raced = await racing
    assert raced.winner == "good"
    assert [line.get("code") for line in raced.report] == [
        "provider_unavailable",
        "content_filter",
        None,
    ]


@in_virtual_time
async def test_where_no_stream_has_content_the_first_to_end_is_passed_on_whole() -> None:
    _, runner = scripted(bad=[unavailable()], empty=[ROLE, END])
    raced = await stream_race(asked("bad", "empty", stream=True), runner)
    assert raced.winner == "empty"
    assert [piece async for piece in raced.chunks] == [ROLE, END]


@in_virtual_time
async def test_streams_that_all_fail_are_one_error_before_the_first_byte() -> None:
    _, runner = scripted(a=[unavailable()], b=[ROLE, throttled(2)])
    with pytest.raises(AllModelsFailed) as caught:
        await stream_race(asked("a", "b", stream=True), runner)
    assert caught.value.http_status == 429
    assert caught.value.retry_after_seconds == 2


@in_virtual_time
async def test_closing_the_winners_stream_closes_its_connection_even_before_it_is_read() -> None:
    engine, runner = scripted(a=[*HELLO[:2], HELD()])
    raced = await stream_race(asked("a", stream=True), runner)
    await raced.chunks.aclose()
    assert engine.gone == {"a": 1}


@in_virtual_time
async def test_of_streams_that_speak_at_the_same_time_all_but_one_are_closed() -> None:
    engine, runner = scripted(a=[*HELLO[:2], HELD()], b=[*HELLO[:2], HELD()])
    raced = await stream_race(asked("a", "b", stream=True), runner)
    assert raced.winner == "a"
    assert engine.gone == {"b": 1}
    await raced.chunks.aclose()


@given(
    st.lists(st.sampled_from(["good", "empty", "bad", "held"]), min_size=1, max_size=6).filter(
        lambda kinds: "held" not in kinds or "good" in kinds
    )
)
def test_in_every_race_exactly_one_wins_or_all_have_failed(kinds: list[str]) -> None:
    scripts: dict[str, Script] = {
        "good": [answer()],
        "empty": [answer("")],
        "bad": [unavailable()],
        "held": [HELD(), answer()],
    }

    @in_virtual_time
    async def hold() -> None:
        engine, runner = scripted(**scripts)
        if set(kinds) == {"bad"}:
            with pytest.raises(AllModelsFailed):
                await race(asked(*kinds), runner)
            return
        raced = await race(asked(*kinds), runner)
        assert raced.winner == next((kind for kind in kinds if kind == "good"), "empty")
        assert [line["model"] for line in raced.report] == kinds
        assert [line["outcome"] for line in raced.report].count("won") == 1
        assert engine.gone["held"] == kinds.count("held")

    hold()
