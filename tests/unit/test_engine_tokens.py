"""Tokens of a deployment's `tpm`: estimated before a request, told by its answer; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.engine.received import Received
from nightmail.error_object import error_object
from nightmail.errors import GatewayError, ProviderError, ProviderUnavailable
from nightmail.providers.direct import JsonObject

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


WORD: JsonObject = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
LONG: JsonObject = {"choices": [{"index": 0, "delta": {"content": "é" * 3000}}]}
USAGE: JsonObject = {"choices": [], **USED}


async def read(chunks: AsyncGenerator[JsonObject]) -> None:
    async for _ in chunks:
        pass


async def seconds_after_a_break(chunks: Sequence[JsonObject], end: bytes, **body: Any) -> float:
    """How long a call is held back after a stream of `chunks`, which then breaks by `end`."""

    async def script(visit: Visit) -> None:
        if len(server.visits) > 1:
            await visit.answer()
            return
        await visit.begin_stream()
        for chunk in chunks:
            await visit.event(chunk)
        await asyncio.sleep(0.1)  # they are read
        await visit.piece(end)
        visit.hang_up()

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url, tpm=TPM, num_retries=0)
        with pytest.raises(ProviderError):
            await read(engine.stream(Call([entry], CHAT, body)))
        await engine.call(Call([entry], CHAT, {}))
    return gaps(server)[0]


@pytest.mark.parametrize(
    ("chunks", "seconds"),
    [([WORD] * 10, 0), ([WORD] * 1500, 15), ([LONG], 15), ([WORD, USAGE], 20)],
    ids=["ten tokens", "many tokens", "one long piece", "what it told"],
)
@pytest.mark.parametrize("end", [b": nothing\n\n", b"data: !400\n\n"], ids=["cut off", "an error"])
@in_virtual_time
async def test_a_stream_that_breaks_has_used_what_came(
    chunks: list[JsonObject], seconds: float, end: bytes
) -> None:
    held_back = await seconds_after_a_break(chunks, end, max_tokens=3000)
    assert held_back == pytest.approx(seconds, abs=1)


@in_virtual_time
async def test_a_stream_that_breaks_before_its_first_token_may_have_used_all() -> None:
    role: JsonObject = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    held_back = await seconds_after_a_break([role], b": nothing\n\n", max_tokens=3000)
    assert held_back == pytest.approx(30, abs=1)


def test_the_error_and_the_log_tell_how_many_tokens_came(caplog: pytest.LogCaptureFixture) -> None:
    error = broken_after(10)

    assert isinstance(error, ProviderUnavailable)
    assert error_object(error)["nightmail"]["received_tokens"] == 10
    (record,) = caplog.records
    assert record.getMessage() == "A stream of m broke after about 10 tokens."


def test_an_error_in_place_of_a_stream_tells_of_no_tokens(caplog: pytest.LogCaptureFixture) -> None:
    error = broken_after(0)

    assert "received_tokens" not in error_object(error)["nightmail"]
    assert not caplog.records


def broken_after(pieces: int) -> GatewayError:
    """The error of a stream whose connection breaks after so many pieces."""
    told: list[GatewayError] = []

    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        for _ in range(pieces):
            await visit.event(WORD)
        visit.hang_up()

    @in_virtual_time
    async def ask() -> None:
        async with upstream(script) as server, Engine(plain) as engine:
            entry = deployment(server.url, num_retries=0)
            with pytest.raises(GatewayError) as raised:
                await read(engine.stream(Call([entry], CHAT, {})))
            told.append(raised.value)

    ask()
    (error,) = told
    return error


@pytest.mark.parametrize(
    ("delta", "tokens"),
    [
        ({"content": "Hi"}, 1),
        ({"content": "half a \ud83d"}, 2),
        ({"content": "x" * 40}, 10),
        ({"reasoning_content": "x" * 40}, 10),
        ({"refusal": "x" * 40}, 10),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "x" * 40}}]}, 10),
        ({"content": "x" * 40, "tool_calls": [{"function": {"arguments": "x" * 40}}]}, 20),
        ({"role": "assistant", "content": ""}, 0),
        ({"content": None, "refusal": 7, "tool_calls": [{"function": None}, "x", {}]}, 0),
        ({"tool_calls": 7}, 0),
        (None, 0),
    ],
)
def test_a_piece_of_text_is_a_token_and_so_are_four_bytes_of_it(delta: Any, tokens: int) -> None:
    received = Received()
    for chunk in ({"choices": [{"delta": delta}, 7]}, {"choices": None}, {}):
        received.add(chunk)
    assert received.tokens == tokens
