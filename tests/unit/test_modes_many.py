"""Many prompts to one model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.engine.call import Call
from nightmail.errors import NotFound
from nightmail.modes.asked import ManyPrompts
from nightmail.modes.many import Finished, run_many, stream_many, to_list
from nightmail.modes.requests import parse_many

from tests.unit.scripted_engine import Step, answer, rejected, scripted, throttled, unavailable
from tests.unit.virtual_time import in_virtual_time, settled


def asked(*prompts: str, **fields: Any) -> ManyPrompts:
    messages = [[{"role": "user", "content": prompt}] for prompt in prompts]
    return parse_many({"model": "m", "messages": messages, **fields})


def prompt_of(call: Call) -> str:
    return str(call.body["messages"][0]["content"])


def echo(call: Call) -> Sequence[Step]:
    return [answer(prompt_of(call))]


def said(item: dict[str, Any]) -> str | None:
    if "error" in item:
        return None
    return str(item["choices"][0]["message"]["content"])


@in_virtual_time
async def test_each_prompt_has_its_answer_and_its_custom_id() -> None:
    _, runner = scripted(m=echo)
    finished = sorted([one async for one in run_many(asked("a", "b", "c"), runner)])
    assert [one.index for one in finished] == [0, 1, 2]
    assert [said(one.item) for one in finished] == ["a", "b", "c"]
    assert [one.item["custom_id"] for one in finished] == ["request-1", "request-2", "request-3"]
    assert [one.error for one in finished] == [None, None, None]


@in_virtual_time
async def test_prompts_come_as_they_finish() -> None:
    gates = {prompt: asyncio.Event() for prompt in "abc"}
    _, runner = scripted(m=lambda call: [gates[prompt_of(call)], answer(prompt_of(call))])
    async with aclosing(run_many(asked("a", "b", "c"), runner)) as finished:
        for prompt in "bca":
            gates[prompt].set()
            assert said((await anext(finished)).item) == prompt


@in_virtual_time
async def test_a_failed_prompt_is_an_error_in_its_place_and_hides_no_other() -> None:
    failures = {"bad": rejected(400, "bad_prompt"), "busy": throttled(2)}
    _, runner = scripted(m=lambda call: [failures.get(prompt_of(call), answer(prompt_of(call)))])
    request = asked("a", "bad", "busy", "b")
    finished = sorted([one async for one in run_many(request, runner)])
    assert [said(one.item) for one in finished] == ["a", None, None, "b"]
    assert finished[1].item == {
        "error": {
            "message": "No.",
            "type": "invalid_request_error",
            "param": None,
            "code": "bad_prompt",
            "nightmail": {"provider": "openai", "status": 400},
        },
        "custom_id": "request-2",
    }
    assert [one.error and one.error.retryable for one in finished] == [None, False, True, None]


@in_virtual_time
async def test_a_fault_of_our_own_fails_one_prompt_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script(call: Call) -> Sequence[Step]:
        if prompt_of(call) == "odd":
            raise RuntimeError("a fault")
        return [answer()]

    _, runner = scripted(m=script)
    good, odd = sorted(await _all(asked("a", "odd"), runner))
    assert good.error is None
    assert odd.item["error"]["code"] == "internal_error"
    assert "a fault" not in odd.item["error"]["message"]
    assert "a fault" in caplog.text


@in_virtual_time
async def test_no_more_than_max_concurrency_are_in_flight() -> None:
    gate = asyncio.Event()
    engine, runner = scripted(m=lambda _: [gate, answer()])
    prompts = [f"prompt {number}" for number in range(20)]
    running = asyncio.create_task(_all(asked(*prompts, max_concurrency=3), runner))
    await settled()
    assert len(engine.calls) == 3
    gate.set()
    assert len(await running) == 20
    assert len(engine.calls) == 20


async def _all(request: ManyPrompts, runner: Any) -> list[Finished]:
    return [one async for one in run_many(request, runner)]


@in_virtual_time
async def test_closing_it_cancels_what_is_in_flight_and_starts_no_other() -> None:
    def script(call: Call) -> Sequence[Step]:
        return [answer()] if prompt_of(call) == "fast" else [asyncio.Event()]

    engine, runner = scripted(m=script)
    async with aclosing(run_many(asked("a", "fast", "b", "c", max_concurrency=2), runner)) as many:
        assert (await anext(many)).index == 1
        await settled()
    assert engine.gone == {"m": 2}
    assert [prompt_of(call) for call in engine.calls] == ["a", "fast", "b"]


@in_virtual_time
async def test_at_the_deadline_the_rest_has_failed_in_a_way_that_can_be_tried_again() -> None:
    def script(call: Call) -> Sequence[Step]:
        return [answer()] if prompt_of(call) == "fast" else [asyncio.Event()]

    _, runner = scripted(None, 25.0, m=script)
    slow, fast, later = sorted(await _all(asked("slow", "fast", "slow"), runner))
    assert fast.error is None
    assert slow.error
    assert later.error
    assert slow.error.retryable
    assert later.item["error"]["code"] == "provider_timed_out"


@in_virtual_time
async def test_an_unknown_model_fails_the_whole_request_before_any_call() -> None:
    engine, runner = scripted(other=echo)
    with pytest.raises(NotFound):
        await anext(run_many(asked("a"), runner))
    assert engine.calls == []


@in_virtual_time
async def test_each_prompt_falls_back_by_itself() -> None:
    failures = {"bad": unavailable()}
    _, runner = scripted(
        m=lambda call: [failures.get(prompt_of(call), answer("by m"))],
        backup=[answer("by backup")],
    )
    finished = sorted(await _all(asked("a", "bad", fallbacks=["backup"]), runner))
    assert [said(one.item) for one in finished] == ["by m", "by backup"]


@in_virtual_time
async def test_streamed_each_finished_prompt_is_one_event_with_its_index() -> None:
    failures = {"bad": unavailable()}
    _, runner = scripted(m=lambda call: [failures.get(prompt_of(call), answer("yes"))])
    events = [event async for event in stream_many(asked("a", "bad", max_concurrency=1), runner)]
    assert [(event["index"], event["custom_id"], said(event)) for event in events] == [
        (0, "request-1", "yes"),
        (1, "request-2", None),
    ]


def test_a_list_has_the_usage_of_all_answers_in_sum() -> None:
    rich = {
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 7},
        }
    }
    items = [answer(), {"error": {}}, rich, {"usage": None}, {}]
    assert to_list(items) == {
        "object": "list",
        "data": items,
        "usage": {
            "prompt_tokens": 13,
            "completion_tokens": 22,
            "total_tokens": 35,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
    }


@given(
    kinds=st.lists(st.sampled_from(["good", "bad", "busy"]), min_size=1, max_size=30),
    concurrency=st.integers(1, 40),
)
def test_every_prompt_ends_exactly_once(kinds: list[str], concurrency: int) -> None:
    outcomes: dict[str, list[Step]] = {
        "good": [answer("good")],
        "bad": [rejected(400)],
        "busy": [throttled()],
    }

    @in_virtual_time
    async def run() -> None:
        _, runner = scripted(m=lambda call: outcomes[prompt_of(call)])
        finished = sorted(await _all(asked(*kinds, max_concurrency=concurrency), runner))
        assert [one.index for one in finished] == list(range(len(kinds)))
        assert ["error" not in one.item for one in finished] == [kind == "good" for kind in kinds]

    run()
