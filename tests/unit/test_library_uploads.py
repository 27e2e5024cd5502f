"""Big files go up in parts: to a provider's own API, or straight to where a gateway says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from nightmail.library.credentials import Credentials
from nightmail.library.exceptions import BadRequestError
from nightmail.library.server import Server
from nightmail.library.servers import Home, Limits
from nightmail.library.sources import opened
from nightmail.library.transport import Transport
from nightmail.library.uploads import upload

from tests.unit.loopback import Upstream, Visit, upstream
from tests.unit.virtual_time import in_virtual_time

CONTENT = b"0123456789" * 5
FILE = {"id": "file-1", "object": "file", "bytes": len(CONTENT)}


class Keeper:
    """Keeps what arrives, part by part."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.parts: dict[str, bytes] = {}
        self.begun: dict[str, Any] = {}
        self.completed: list[str] = []
        self.cancelled = False
        self.url = ""
        self._fails_at = fails_at

    async def script(self, visit: Visit) -> None:
        if visit.path.endswith("/complete"):
            self.completed = visit.body["part_ids"]
            await visit.answer({"file": FILE})
        elif visit.path.endswith("/cancel"):
            self.cancelled = True
            await visit.answer({"id": "upload_1"})
        elif visit.path == "/uploads":
            self.begun = visit.body
            await visit.answer({"id": "upload_1", "nightmail": self._page(1)})
        elif visit.path == "/next":
            await visit.answer(self._page(4))
        else:
            await self._keep(visit)

    async def _keep(self, visit: Visit) -> None:
        if len(self.parts) == self._fails_at:
            await visit.answer({"error": {"message": "No such part."}}, 400)
            return
        name = f"part-{visit.path}-{len(self.parts)}"
        self.parts[name] = visit.content
        await visit.answer({"id": name})

    def _page(self, first: int) -> dict[str, Any]:
        numbers = range(first, min(first + 3, 6))
        urls = [
            {"part_id": f"p{number}", "number": number, "url": f"{self.url}/part/{number}"}
            for number in numbers
        ]
        return {"part_bytes": 12, "part_urls": urls, "next": "/next" if first == 1 else None}


@asynccontextmanager
async def keeping(
    keeper: Keeper, limits: Limits, *, is_gateway: bool
) -> AsyncGenerator[tuple[Upstream, Home]]:
    async with upstream(keeper.script) as running, aiohttp.ClientSession() as session:
        keeper.url = running.url
        transport = Transport(session, running.url, Credentials("sk-key"), "acme")
        yield running, Home(Server(transport, retries=0, seconds=60), limits, is_gateway)


def data_of(form: bytes) -> bytes:
    """The `data` in a form of it alone."""
    return form.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]


@in_virtual_time
async def test_parts_are_posted_to_a_provider_in_order() -> None:
    keeper = Keeper()

    async with keeping(keeper, Limits(10, 12), is_gateway=False) as (_, home):
        with opened(("big.jsonl", CONTENT)) as source:
            made = await upload(home, source, "batch", {"expires_after": {"seconds": 3600}})

    assert made.id == "file-1"
    assert keeper.begun == {
        "bytes": 50,
        "filename": "big.jsonl",
        "mime_type": "application/jsonl",
        "purpose": "batch",
        "expires_after": {"seconds": 3600},
    }
    assert b"".join(data_of(keeper.parts[name]) for name in keeper.completed) == CONTENT


@in_virtual_time
async def test_parts_go_where_a_gateway_says_page_by_page() -> None:
    keeper = Keeper()

    async with keeping(keeper, Limits(10), is_gateway=True) as (running, home):
        with opened(CONTENT) as source:
            await upload(home, source, "batch", {})

    assert keeper.completed == ["p1", "p2", "p3", "p4", "p5"]
    sent = {visit.path: visit for visit in running.visits}
    assert b"".join(sent[f"/part/{number}"].content for number in range(1, 6)) == CONTENT
    assert not any("authorization" in sent[f"/part/{number}"].headers for number in range(1, 6))


@pytest.mark.parametrize("is_gateway", [True, False])
@in_virtual_time
async def test_an_upload_whose_part_fails_is_given_up(is_gateway: bool) -> None:
    keeper = Keeper(fails_at=2)

    async with keeping(keeper, Limits(10, 12), is_gateway=is_gateway) as (_, home):
        with opened(CONTENT) as source, pytest.raises(BadRequestError, match="No such part"):
            await upload(home, source, "batch", {})

    assert keeper.cancelled
    assert keeper.completed == []


@in_virtual_time
async def test_a_provider_without_parts_takes_no_bigger_file() -> None:
    keeper = Keeper()

    async with keeping(keeper, Limits(10), is_gateway=False) as (running, home):
        with opened(CONTENT) as source, pytest.raises(BadRequestError, match="up to 10"):
            await upload(home, source, "batch", {})

    assert running.visits == []


@in_virtual_time
async def test_a_small_file_is_one_form() -> None:
    keeper = Keeper()

    async with keeping(keeper, Limits(50), is_gateway=False) as (running, home):
        with opened(("small.jsonl", CONTENT)) as source:
            await upload(home, source, "batch", {"expires_after": {"seconds": 3600}})

    (visit,) = running.visits
    assert visit.path == "/files"
    for piece in (b'name="purpose"\r\n\r\nbatch', b'name="expires_after[seconds]"\r\n\r\n3600'):
        assert piece in visit.content.replace(b"Content-Type: text/plain; charset=utf-8\r\n", b"")
    assert b'filename="small.jsonl"' in visit.content
    assert CONTENT in visit.content
