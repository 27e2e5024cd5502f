"""Streams: what is tried again before the first chunk, and what breaks after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.errors import (
    GatewayError,
    InvalidRequest,
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.providers.direct import JsonObject
from nightmail.providers.registry import open_direct

from tests.unit.engine_calls import call_of, first, gaps
from tests.unit.loopback import GOOD, Visit, deployment, plain, upstream
from tests.unit.virtual_time import in_virtual_time

WORDS: list[JsonObject] = [{"word": word} for word in ("one", "two", "three")]


async def tell(visit: Visit, words: list[JsonObject] = WORDS) -> None:
    await visit.begin_stream()
    for word in words:
        await visit.event(word)
    await visit.end_stream()


async def received(engine: Engine, call: Call) -> tuple[list[JsonObject], GatewayError | None]:
    return await rest_of(engine.stream(call))


async def rest_of(
    stream: AsyncGenerator[JsonObject],
) -> tuple[list[JsonObject], GatewayError | None]:
    """The chunks that came, and the error after them."""
    chunks: list[JsonObject] = []
    try:
        async for chunk in stream:
            chunks += [chunk]
    except GatewayError as error:
        return chunks, error
    return chunks, None


@in_virtual_time
async def test_chunks_come_one_by_one_and_the_connection_is_used_again() -> None:
    gates = [asyncio.Event() for _ in WORDS]

    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        for gate, word in zip(gates, WORDS, strict=True):
            await gate.wait()
            await visit.event(word)
        await visit.end_stream()

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        async with aclosing(engine.stream(call)) as chunks:
            for gate, word in zip(gates, WORDS, strict=True):
                gate.set()
                assert await anext(chunks) == word
            assert await anext(chunks, None) is None
        assert await received(engine, call) == (WORDS, None)
    assert server.connections == 1
    assert [visit.body["stream"] for visit in server.visits] == [True, True]


@in_virtual_time
async def test_events_may_be_cut_anywhere() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        for byte in b'data: {"word": "\xc3\xbc"}\n\n':
            await visit.piece(bytes([byte]))
        await visit.end_stream()

    async with upstream(script) as server, Engine(plain) as engine:
        chunks, error = await received(engine, call_of(deployment(server.url)))
    assert (chunks, error) == ([{"word": "ü"}], None)


@pytest.mark.parametrize("status", [429, 500, 529])
@in_virtual_time
async def test_a_refusal_that_heals_is_tried_again(status: int) -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) < 3:
            await visit.answer({}, status)
        else:
            await tell(visit)

    async with upstream(script) as server, Engine(plain) as engine:
        assert await received(engine, call_of(deployment(server.url))) == (WORDS, None)
    assert gaps(server)[0] >= 0.375


@in_virtual_time
async def test_a_refusal_that_does_not_heal_is_raised() -> None:
    async with upstream(lambda visit: visit.answer({}, 401)) as server, Engine(plain) as engine:
        chunks, error = await received(engine, call_of(deployment(server.url)))
    assert isinstance(error, ProviderRejected)
    assert (chunks, error.upstream_status, len(server.visits)) == ([], 401, 1)


@in_virtual_time
async def test_another_deployment_streams_where_the_first_refuses() -> None:
    async with (
        upstream(lambda visit: visit.answer({}, 403)) as a,
        upstream(tell) as b,
        Engine(plain, choose=first) as engine,
    ):
        call = call_of(deployment(a.url), deployment(b.url))
        assert await received(engine, call) == (WORDS, None)


@in_virtual_time
async def test_a_parameter_that_the_provider_has_not_is_raised() -> None:
    def direct_of(_: object) -> Any:
        raise InvalidRequest("has no 'seed'", param="seed")

    async with Engine(direct_of) as engine:
        _, error = await received(engine, call_of(deployment()))
    assert isinstance(error, InvalidRequest)


@in_virtual_time
async def test_a_stream_that_is_lost_before_its_first_chunk_is_tried_again() -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) > 1:
            await tell(visit)
            return
        await visit.begin_stream()
        visit.reset()

    async with upstream(script) as server, Engine(plain) as engine:
        assert await received(engine, call_of(deployment(server.url))) == (WORDS, None)


@pytest.mark.parametrize(
    ("end", "kind"), [(Visit.hang_up, ProviderUnavailable), (Visit.reset, ProviderUnavailable)]
)
@in_virtual_time
async def test_a_stream_that_is_lost_after_its_first_chunk_breaks_there(
    end: Any, kind: type[ProviderError]
) -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(WORDS[0])
        await read.wait()
        end(visit)

    read = asyncio.Event()
    async with upstream(script) as server, Engine(plain) as engine:
        chunks = engine.stream(call_of(deployment(server.url)))
        assert await anext(chunks) == WORDS[0]
        read.set()
        with pytest.raises(kind):
            await anext(chunks)
    assert len(server.visits) == 1


@in_virtual_time
async def test_a_whole_stream_is_at_its_end_though_the_connection_stays_open() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(WORDS[0])
        await visit.piece(b"data: [DONE]\n\n")
        await visit.gone()

    async with upstream(script) as server, Engine(plain) as engine:
        assert await received(engine, call_of(deployment(server.url))) == (WORDS[:1], None)
        assert asyncio.get_running_loop().time() == 0
        await server.closed()


@in_virtual_time
async def test_a_connection_whose_end_has_come_already_is_used_again() -> None:
    read, ended = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.piece(b'data: {"word": "one"}\n\ndata: [DONE]\n\n')
        await read.wait()
        await visit.send(b"0\r\n\r\n")
        ended.set()

    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        async with aclosing(engine.stream(call)) as chunks:
            assert await anext(chunks) == WORDS[0]
            read.set()
            await ended.wait()
            assert await anext(chunks, None) is None
        assert await received(engine, call) == (WORDS[:1], None)
    assert server.connections == 1


@in_virtual_time
async def test_the_connections_end_brings_the_usage_where_the_server_never_says_done() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await visit.event({"choices": [], **GOOD})
        await visit.send(b"0\r\n\r\n")

    async with (
        upstream(script) as server,
        Engine(lambda entry: open_direct(entry, None)) as engine,
    ):
        call = call_of(deployment(server.url, provider="openai"))
        body = {**call.body, "stream_options": {"include_usage": True}}
        (_, last), error = await received(engine, replace(call, body=body))
    assert error is None
    assert last["usage"]["completion_tokens"] == 4


@in_virtual_time
async def test_a_stream_that_ends_too_early_is_garbled() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event(WORDS[0])
        await visit.send(b"0\r\n\r\n")

    async with upstream(script) as server, Engine(plain) as engine:
        chunks, error = await received(engine, call_of(deployment(server.url)))
    assert (chunks, type(error)) == (WORDS[:1], ProviderGarbled)


@pytest.mark.parametrize("leave", [Visit.reset, Visit.hang_up], ids=["reset", "hung up"])
@in_virtual_time
async def test_what_came_before_a_connection_broke_is_told_before_the_error(
    leave: Callable[[Visit], None],
) -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        for piece in pieces:
            await visit.event(piece)
            if piece == pieces[0]:
                await begun.wait()
        leave(visit)

    begun = asyncio.Event()
    pieces: list[JsonObject] = [{"piece": number} for number in range(10)]
    async with upstream(script) as server, Engine(plain) as engine:
        chunks = engine.stream(call_of(deployment(server.url)))
        first_piece = await anext(chunks)
        begun.set()
        await asyncio.sleep(1)  # nobody reads until the connection is gone
        rest, error = await rest_of(chunks)
    assert [first_piece, *rest] == pieces
    assert isinstance(error, ProviderUnavailable)


@in_virtual_time
async def test_an_error_in_mid_stream_is_raised_there_and_slows_the_deployment_down() -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) > 1:
            await tell(visit)
            return
        await visit.begin_stream()
        await visit.event(WORDS[0])
        await read.wait()
        await visit.piece(b"data: !429\n\n")
        await visit.end_stream()

    read = asyncio.Event()
    async with upstream(script) as server, Engine(plain) as engine:
        call = call_of(deployment(server.url))
        chunks = engine.stream(call)
        assert await anext(chunks) == WORDS[0]
        read.set()
        with pytest.raises(ProviderThrottled):
            await anext(chunks)
        assert await received(engine, call) == (WORDS, None)
    assert gaps(server)[0] >= 0.375


@in_virtual_time
async def test_an_error_that_comes_with_a_chunk_is_raised_although_no_more_comes() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
        await visit.piece(chunk + b'data: {"error": {"message": "It broke."}}\n\n')
        await visit.gone()

    async with (
        upstream(script) as server,
        Engine(lambda entry: open_direct(entry, None)) as engine,
    ):
        entry = deployment(server.url, provider="openai")
        chunks, error = await received(engine, call_of(entry))
    assert isinstance(error, ProviderUnavailable)
    assert (len(chunks), "It broke." in error.message) == (1, True)


@pytest.mark.parametrize(
    ("answer", "content_type", "words"),
    [
        (GOOD, "application/json", "in one piece"),
        (GOOD, "Application/JSON; charset=utf-8", "in one piece"),
        (b"<html>", "application/json", "not a JSON object"),
    ],
)
@in_virtual_time
async def test_an_answer_in_one_piece_is_no_stream(
    answer: object, content_type: str, words: str
) -> None:
    async with (
        upstream(lambda visit: visit.answer(answer, content_type=content_type)) as server,
        Engine(plain) as engine,
    ):
        chunks, error = await received(engine, call_of(deployment(server.url)))
    assert isinstance(error, ProviderGarbled)
    assert (chunks, words in error.message) == ([], True)


@pytest.mark.parametrize(
    ("of_call", "of_streams", "seconds"), [(None, None, 40), (None, 30, 30), (20, 30, 20)]
)
@in_virtual_time
async def test_the_time_out_is_the_longest_silence(
    of_call: float | None, of_streams: int | None, seconds: float
) -> None:
    times: list[float] = []

    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        for word in WORDS:
            await asyncio.sleep(seconds - 1)
            await visit.event(word)
        last = asyncio.get_running_loop().time()
        await visit.gone()
        times.append(asyncio.get_running_loop().time() - last)

    async with upstream(script) as server, Engine(plain) as engine:
        entry = deployment(server.url, timeout_seconds=40, stream_timeout_seconds=of_streams)
        chunks, error = await received(engine, call_of(entry, timeout_seconds=of_call))
    assert (chunks, type(error)) == (WORDS, ProviderTimedOut)
    assert times == [pytest.approx(seconds)]


@in_virtual_time
async def test_no_stream_goes_on_beyond_the_deadline() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        while True:
            await visit.event(WORDS[0])
            await asyncio.sleep(1)

    loop = asyncio.get_running_loop()
    async with upstream(script) as server, Engine(plain, deadline=loop.time() + 9.5) as engine:
        chunks, error = await received(engine, call_of(deployment(server.url)))
        assert loop.time() == pytest.approx(9.5)
    assert (len(chunks), type(error)) == (10, ProviderTimedOut)
