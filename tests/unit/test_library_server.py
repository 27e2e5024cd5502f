"""How the library asks a gateway, or a provider's own files and batches: what is asked again, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest
from nightmail.library.credentials import Credentials
from nightmail.library.exceptions import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NightmailError,
)
from nightmail.library.gateway_batches import GatewayBatches
from nightmail.library.objects import Batch
from nightmail.library.server import Server
from nightmail.library.servers import Home, Limits
from nightmail.library.transport import Transport
from nightmail.library.watch import until_final

from tests.unit.loopback import Script, Upstream, Visit, upstream
from tests.unit.virtual_time import in_virtual_time

KEY = "sk-key-0123456789"
GOOD = {"object": "thing"}


@asynccontextmanager
async def serving(
    script: Script, retries: int = 2, seconds: float = 600
) -> AsyncGenerator[tuple[Upstream, Server]]:
    async with upstream(script) as running, aiohttp.ClientSession() as session:
        transport = Transport(session, f"{running.url}/v1", Credentials(KEY), "acme")
        yield running, Server(transport, retries=retries, seconds=seconds)


def kept_at(server: Server) -> GatewayBatches:
    return GatewayBatches(Home(server, Limits(0), is_gateway=True))


async def answer_well(visit: Visit) -> None:
    await visit.answer(GOOD)


@in_virtual_time
async def test_a_good_answer_is_a_json_object() -> None:
    async with serving(answer_well) as (running, server):
        assert await server.get("/things", {"limit": 3, "after": None}) == GOOD
        assert (await server.post("/things", {"a": 1})).body == GOOD

    first, second = running.visits
    assert first.path == "/v1/things?limit=3"
    assert second.body == {"a": 1}
    assert first.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("content", [b"<html>", b"[1]", b""])
@in_virtual_time
async def test_what_is_no_object_is_an_error(content: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(content)

    async with serving(script) as (_, server):
        with pytest.raises(APIError, match="acme"):
            await server.get("/things")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequestError), (401, AuthenticationError), (409, ConflictError), (504, APIError)],
)
@in_virtual_time
async def test_what_waiting_does_not_heal_is_asked_once(status: int, error: type[APIError]) -> None:
    async def script(visit: Visit) -> None:
        await visit.answer({"error": {"message": "No.", "type": "t", "code": "c"}}, status)

    async with serving(script) as (running, server):
        with pytest.raises(error, match=r"^No\.$") as caught:
            await server.get("/things") if status != 409 else await server.post("/things", {})

    assert len(running.visits) == 1
    assert (caught.value.status_code, caught.value.code, caught.value.type) == (status, "c", "t")


@pytest.mark.parametrize("status", [429, 503])
@in_virtual_time
async def test_what_was_not_begun_is_asked_again_when_the_server_said(status: int) -> None:
    async def script(visit: Visit) -> None:
        if len(running.visits) < 3:
            await visit.answer(b"later", status, Retry_After="7")
        else:
            await visit.answer(GOOD)

    async with serving(script) as (running, server):
        assert (await server.post("/things", {})).body == GOOD

    times = [visit.at for visit in running.visits]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [
        7,
        7,
    ]


@in_virtual_time
async def test_what_may_have_arrived_is_asked_again_only_where_that_does_no_harm() -> None:
    async def script(visit: Visit) -> None:
        visit.hang_up()

    async with serving(script) as (running, server):
        with pytest.raises(APIConnectionError):
            await server.post("/things", {})
        assert len(running.visits) == 1
        with pytest.raises(APIConnectionError):
            await server.post("/things", {}, repeatable=True)
        assert len(running.visits) == 4


@in_virtual_time
async def test_a_server_that_breaks_is_asked_so_often_and_no_more() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(b"<html>", 500)

    async with serving(script, retries=4) as (running, server):
        with pytest.raises(InternalServerError) as caught:
            await server.get("/things")

    assert len(running.visits) == 5
    assert running.url not in str(caught.value)
    assert KEY not in str(caught.value)


@in_virtual_time
async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def script(visit: Visit) -> None:
        await visit.gone()

    async with serving(script, retries=0, seconds=30) as (_, server):
        with pytest.raises(APITimeoutError):
            await server.get("/things")


@in_virtual_time
async def test_nobody_listens() -> None:
    async with aiohttp.ClientSession() as session:
        transport = Transport(session, "http://127.0.0.1:1", Credentials(KEY), "acme")
        with pytest.raises(APIConnectionError) as caught:
            await Server(transport, retries=2, seconds=600).post("/things", {})

    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("base", ["not a url", "http://", ""])
@in_virtual_time
async def test_a_base_that_is_no_url_is_an_error(base: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NightmailError):
            await Server(
                Transport(session, base, Credentials(KEY), "acme"), retries=0, seconds=1
            ).get("/things")


@pytest.mark.parametrize("status", [302, 303, 307])
@in_virtual_time
async def test_an_answer_elsewhere_is_fetched_without_the_key(status: int) -> None:
    async def script(visit: Visit) -> None:
        if visit.path == "/elsewhere?signed=1":
            await visit.answer(GOOD)
        else:
            await visit.answer(b"", status, Location="/elsewhere?signed=1")

    async with serving(script) as (running, server):
        assert (await server.post("/things", {"a": 1})).body == GOOD

    assert "authorization" not in running.visits[1].headers
    assert running.visits[1].content == b""


@in_virtual_time
async def test_a_part_goes_elsewhere_without_the_key() -> None:
    async with serving(answer_well) as (running, server):
        await server.put_elsewhere(f"{running.url}/bucket/part", b"x" * 3_000_000)

    assert running.visits[0].path == "/bucket/part"
    assert len(running.visits[0].content) == 3_000_000
    assert "authorization" not in running.visits[0].headers


# ---- streams


@in_virtual_time
async def test_a_stream_comes_event_by_event() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"n": 1})
        await visit.event({"n": 2})
        await visit.end_stream()

    async with serving(script) as (_, server):
        events = await server.events("/chat/completions", {"stream": True})
        assert [event async for event in events] == [{"n": 1}, {"n": 2}]


@in_virtual_time
async def test_a_stream_may_end_with_an_error_or_without_an_end() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"n": 1})
        if len(running.visits) == 1:
            await visit.event({"error": {"message": "Broken.", "type": "server_error"}})
        visit.hang_up()

    async with serving(script) as (running, server):
        for match in ("Broken", "acme"):
            events = await server.events("/chat/completions", {"model": "m"})
            assert await anext(events) == {"n": 1}
            with pytest.raises(APIError, match=match):
                await anext(events)


@in_virtual_time
async def test_closing_a_stream_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"n": 1})
        await visit.gone()
        gone.set()

    async with serving(script) as (_, server):
        events = await server.events("/chat/completions", {})
        assert await anext(events) == {"n": 1}
        await events.aclose()
        await gone.wait()


# ---- waiting


@in_virtual_time
async def test_waiting_for_a_batch_grows_with_the_time_waited() -> None:
    """And a server that is away for a while ends nothing."""

    async def script(visit: Visit) -> None:
        if 5 <= len(running.visits) < 15:
            await visit.answer(b"", 503)
        else:
            status = "completed" if visit.at > 1800 else "in_progress"
            await visit.answer({"id": "batch_1", "status": status})

    looks: list[str] = []
    async with serving(script) as (running, server):
        batch = Batch({"id": "batch_1", "status": "validating"})
        done = await until_final(kept_at(server), batch, lambda batch: looks.append(batch.status))

    assert done.status == "completed"
    assert (looks[0], looks[-1]) == ("validating", "completed")
    times = [visit.at for visit in running.visits]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[0] < 1
    assert round(max(waits)) == 60
    assert len(running.visits) < 80


@in_virtual_time
async def test_what_a_callback_raises_ends_the_waiting() -> None:
    def refuse(_: Batch) -> None:
        raise ValueError("no more")

    async with serving(answer_well) as (_, server):
        with pytest.raises(ValueError, match="no more"):
            await until_final(kept_at(server), Batch({"id": "b", "status": "validating"}), refuse)


@in_virtual_time
async def test_what_came_of_a_stream_before_it_broke_is_told_first() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event({"number": 0})
        await begun.wait()
        for number in range(1, 10):
            await visit.event({"number": number})
        visit.reset()

    begun = asyncio.Event()
    async with serving(script) as (_, server):
        chunks = await server.events("/chat/completions", {"model": "m"})
        numbers = [(await anext(chunks))["number"]]
        begun.set()
        await asyncio.sleep(1)  # nobody reads until the connection is gone
        numbers += [(await anext(chunks))["number"] for _ in range(9)]
        with pytest.raises(APIConnectionError):
            await anext(chunks)
    assert numbers == list(range(10))
