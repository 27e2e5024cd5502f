"""Tokens of a deployment's `tpm`: estimated before a request, told by its answer; in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.errors import GatewayError

from tests.unit.engine_calls import answering, gaps
from tests.unit.loopback import CHAT, Script, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time

TPM = 6000  # a hundred a second
USED = {"usage": {"prompt_tokens": 1900, "completion_tokens": 100}}


async def seconds_between(script: Script, **body: Any) -> float:
    """How long the second of two calls is held back after the first, which asks for `body`."""
    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url, tpm=TPM, num_retries=0)
        with suppress(GatewayError):
            await engine.call(Call([entry], CHAT, body))
        await engine.call(Call([entry], CHAT, {}))
    return gaps(server)[0]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
@in_virtual_time
async def test_what_was_estimated_and_not_used_is_given_back(name: str) -> None:
    assert await seconds_between(answering(), **{name: 3000}) < 1


@in_virtual_time
async def test_what_was_used_and_not_estimated_is_paid() -> None:
    assert await seconds_between(lambda visit: visit.answer(USED)) == pytest.approx(20, abs=1)


@in_virtual_time
async def test_what_is_sent_counts_as_a_token_for_four_bytes() -> None:
    async with upstream(lambda visit: visit.answer({})) as server, Engine(plain) as engine:
        call = Call([deployment(server.url, tpm=TPM)], CHAT, {"input": "x" * 4000})
        await asyncio.gather(*(engine.call(call) for _ in range(3)))
    assert gaps(server) == [pytest.approx(10, abs=1)] * 2


@in_virtual_time
async def test_a_refused_request_spends_nothing() -> None:
    assert await seconds_between(answering(400), max_tokens=3000) < 1


@pytest.mark.parametrize("wanted", [10**30, "many", None, True])
@in_virtual_time
async def test_a_request_for_too_much_holds_nobody_back_for_more_than_a_minute(wanted: Any) -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) == 1:
            visit.reset()
        else:
            await visit.answer()

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url, tpm=TPM, num_retries=0)
        with suppress(GatewayError):
            await engine.call(Call([entry], CHAT, {"max_tokens": wanted}))
        await engine.call(Call([entry], CHAT, {}))
    assert gaps(server)[0] <= 61


@in_virtual_time
async def test_a_request_for_less_than_nothing_gives_nothing_to_others() -> None:
    body = {"max_tokens": -(10**6), "input": "x" * 4000}
    async with upstream(lambda visit: visit.answer({})) as server, Engine(plain) as engine:
        call = Call([deployment(server.url, tpm=TPM)], CHAT, body)
        await asyncio.gather(*(engine.call(call) for _ in range(3)))
    assert gaps(server) == [pytest.approx(10, abs=1)] * 2


@in_virtual_time
async def test_a_stream_tells_its_tokens_too() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"usage": None})
        await visit.event(USED)
        await visit.end_stream()

    async with upstream(script) as server, Engine(plain) as engine:
        call = Call([deployment(server.url, tpm=TPM)], CHAT, {})
        for _ in range(2):
            assert len([chunk async for chunk in engine.stream(call)]) == 2
    assert gaps(server)[0] == pytest.approx(20, abs=1)
