"""Every answer: one prompt to many models, and many prompts to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from nightmail.modes.all_responses import all_responses, grid, stream_all
from nightmail.modes.asked import Grid, OnePrompt
from nightmail.modes.interleaved import interleaved
from nightmail.modes.requests import parse_chat, parse_models

from tests.unit.scripted_engine import END, ROLE, answer, chunk, rejected, scripted, unavailable
from tests.unit.virtual_time import in_virtual_time, settled

HI = [{"role": "user", "content": "Hi"}]
HO = [{"role": "user", "content": "Ho"}]
HELD = asyncio.Event


def asked(*models: str, **fields: Any) -> OnePrompt:
    return parse_models({"models": list(models), "messages": HI, **fields}, fastest=False)


def asked_grid(model: str, **fields: Any) -> Grid:
    request = parse_chat({"model": model, "messages": [HI, HO], **fields})
    assert isinstance(request, Grid)
    return request


def said(item: dict[str, Any]) -> Any:
    return item["error"]["code"] if "error" in item else item["choices"][0]["message"]["content"]


@in_virtual_time
async def test_answers_come_in_the_order_of_the_models_however_late_they_are() -> None:
    gate = asyncio.Event()
    engine, runner = scripted(late=[gate, answer("late")], early=[answer("early")])
    answering = asyncio.create_task(all_responses(asked("late", "early", "late"), runner))
    await settled()
    assert engine.asked == {"late": 2, "early": 1}
    gate.set()
    assert [said(item) for item in await answering] == ["late", "early", "late"]


@in_virtual_time
async def test_a_failed_model_is_an_error_with_its_name_in_its_place() -> None:
    _, runner = scripted(a=[answer("a")], bad=[rejected(400, "bad_prompt")])
    items = await all_responses(asked("bad", "a", "nobody"), runner)
    assert [said(item) for item in items] == ["bad_prompt", "a", "model_not_found"]
    assert [items[0]["model"], items[2]["model"]] == ["bad", "nobody"]
    assert set(items[0]["error"]) == {"message", "type", "param", "code", "nightmail"}
    assert set(items[2]["error"]) == {"message", "type", "param", "code"}


@in_virtual_time
async def test_where_all_fail_there_are_as_many_errors() -> None:
    _, runner = scripted(a=[unavailable()], b=[unavailable()])
    items = await all_responses(asked("a", "b"), runner)
    assert [item["model"] for item in items] == ["a", "b"]
    assert all("error" in item for item in items)


@in_virtual_time
async def test_at_the_deadline_those_that_answered_are_kept() -> None:
    _, runner = scripted(None, 25.0, a=[HELD()], b=[answer("b")])
    items = await all_responses(asked("a", "b"), runner)
    assert [said(item) for item in items] == ["provider_timed_out", "b"]


@in_virtual_time
async def test_a_grid_is_answered_by_prompt_and_model() -> None:
    _, runner = scripted(
        a=lambda call: [answer(f"a {call.body['messages'][0]['content']}")], b=[unavailable()]
    )
    rows = await grid(asked_grid("a, b"), runner)
    assert [[said(item) for item in row] for row in rows if isinstance(row, list)] == [
        ["a Hi", "provider_unavailable"],
        ["a Ho", "provider_unavailable"],
    ]


@in_virtual_time
async def test_a_grid_of_one_model_by_its_name_is_one_list() -> None:
    _, runner = scripted(a=lambda call: [answer(call.body["messages"][0]["content"])])
    rows = await grid(asked_grid("a"), runner)
    assert [said(item) for item in rows if isinstance(item, dict)] == ["Hi", "Ho"]
    rows = await grid(asked_grid("a,"), runner)
    assert [[said(item) for item in row] for row in rows if isinstance(row, list)] == [
        ["Hi"],
        ["Ho"],
    ]


@in_virtual_time
async def test_a_grid_keeps_no_more_in_flight_than_it_may() -> None:
    gate = asyncio.Event()
    engine, runner = scripted(a=[gate, answer()], b=[gate, answer()])
    answering = asyncio.create_task(grid(asked_grid("a, b", max_concurrency=3), runner))
    await settled()
    assert len(engine.calls) == 3
    gate.set()
    await answering
    assert len(engine.calls) == 4


# Streams


@in_virtual_time
async def test_chunks_interleave_as_they_come_each_with_its_index_and_id() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    _, runner = scripted(
        a=[first, chunk(content="a1"), second, chunk(content="a2")],
        b=[chunk(content="b1"), first, END],
    )
    async with aclosing(stream_all(asked("a", "b", stream=True), runner)) as chunks:
        heard = [await anext(chunks)]
        first.set()
        heard += [await anext(chunks), await anext(chunks)]
        second.set()
        heard += [piece async for piece in chunks]
    by_index: dict[int, list[Any]] = {0: [], 1: []}
    for piece in heard:
        by_index[piece["nightmail"]["index"]].append(piece["choices"][0]["delta"].get("content"))
    assert heard[0]["nightmail"] == {"index": 1}
    assert by_index == {0: ["a1", "a2"], 1: ["b1", None]}
    ids = {piece["nightmail"]["index"]: piece["id"] for piece in heard}
    assert len(set(ids.values())) == 2
    assert all(piece["id"] == ids[piece["nightmail"]["index"]] for piece in heard)


@in_virtual_time
async def test_ids_of_the_providers_that_are_unlike_stay_as_they_are() -> None:
    _, runner = scripted(a=[ROLE | {"id": "one"}, END | {"id": "one"}], b=[END | {"id": "two"}])
    heard = [piece async for piece in stream_all(asked("a", "b", stream=True), runner)]
    assert {(piece["nightmail"]["index"], piece["id"]) for piece in heard} == {
        (0, "one"),
        (1, "two"),
    }


@in_virtual_time
async def test_a_stream_that_fails_ends_no_other_and_is_told_at_the_end() -> None:
    _, runner = scripted(
        bad=[unavailable()],
        broken=[ROLE, unavailable()],
        good=[ROLE, chunk(content="Hello"), END],
    )
    request = asked("bad", "broken", "nobody", "good", stream=True)
    heard = [piece async for piece in stream_all(request, runner)]
    good = [piece for piece in heard if piece["nightmail"]["index"] == 3]
    assert [piece["choices"] for piece in good] == [
        piece["choices"] for piece in (ROLE, chunk(content="Hello"), END)
    ]
    errors = heard[-3:]
    assert all("error" in piece for piece in errors)
    assert not any("error" in piece for piece in heard[:-3])
    assert {(piece["model"], piece["nightmail"]["index"]) for piece in errors} == {
        ("bad", 0),
        ("broken", 1),
        ("nobody", 2),
    }


@in_virtual_time
async def test_a_streamed_grid_tells_prompt_and_model() -> None:
    _, runner = scripted(a=[END], b=[END])
    heard = [piece async for piece in stream_all(asked_grid("a, b", stream=True), runner)]
    assert sorted((piece["nightmail"]["prompt"], piece["nightmail"]["index"]) for piece in heard) == [
        (0, 0), (0, 1), (1, 0), (1, 1),
    ]  # fmt: skip


@in_virtual_time
async def test_closing_it_closes_every_stream() -> None:
    engine, runner = scripted(a=[ROLE, HELD()], b=[HELD()])
    async with aclosing(stream_all(asked("a", "b", "a", stream=True), runner)) as chunks:
        await anext(chunks)
    assert engine.gone == {"a": 2, "b": 1}


@in_virtual_time
async def test_a_fault_within_one_stream_is_an_error_in_its_place() -> None:
    def broken(_: Any) -> list[Any]:
        raise RuntimeError("a fault")

    _, runner = scripted(a=broken, b=[END])
    heard = [piece async for piece in stream_all(asked("a", "b", stream=True), runner)]
    assert [piece["nightmail"]["index"] for piece in heard] == [1, 0]
    assert heard[1]["error"]["code"] == "internal_error"
    assert "a fault" not in heard[1]["error"]["message"]


@in_virtual_time
async def test_what_nobody_foresaw_closes_the_other_streams_and_is_seen() -> None:
    closed = asyncio.Event()

    async def held() -> AsyncGenerator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def broken() -> AsyncGenerator[int]:
        raise RuntimeError("a fault")
        yield 2

    pieces = interleaved((held(), broken()), 2)
    assert await anext(pieces) == 1
    with pytest.raises(RuntimeError, match="a fault"):
        await anext(pieces)
    assert closed.is_set()
