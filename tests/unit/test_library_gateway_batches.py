"""What only a gateway's batches have: settings, retries, results that come as they are there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import nightmail
import pytest
from nightmail import Batch
from nightmail.library.credentials import Credentials
from nightmail.library.gateway_batches import GatewayBatches
from nightmail.library.server import Server
from nightmail.library.servers import Home, Limits
from nightmail.library.transport import Transport

from tests.unit.loopback import Script, Upstream, Visit, upstream
from tests.unit.virtual_time import in_virtual_time

MADE = {"id": "batch_2", "object": "batch", "status": "validating"}
Json = dict[str, Any]


@asynccontextmanager
async def keeping(script: Script) -> AsyncGenerator[tuple[Upstream, GatewayBatches]]:
    async with upstream(script) as running, aiohttp.ClientSession() as session:
        transport = Transport(session, running.url, Credentials("sk-key"), "nightmail")
        server = Server(transport, retries=0, seconds=60)
        yield running, GatewayBatches(Home(server, Limits(2**20), is_gateway=True))


def line(number: int, **more: Any) -> Json:
    response = {"status_code": 200, "body": {"n": number}}
    return {"id": f"r{number:012x}", "custom_id": f"c{number}", "response": response, **more}


class Pages:
    """A gateway whose output has these pages; the cursor is the number of the next one."""

    def __init__(self, pages: Sequence[Sequence[Json]]) -> None:
        self._pages = pages
        self.queries: list[str] = []

    async def script(self, visit: Visit) -> None:
        path, _, query = visit.path.partition("?")
        assert path == "/batches/batch_1/output"
        self.queries.append(query)
        place = int(parse_qs(query).get("after", ["p0"])[0][1:])
        content = b"".join(json.dumps(one).encode() + b"\n" for one in self._pages[place])
        headers = {"x_nightmail_cursor": f"p{place + 1}"}
        if place < len(self._pages) - 1:
            headers["x_nightmail_incomplete"] = "true"
        await visit.answer(content, 200, **headers)


async def told(lines: AsyncGenerator[Json]) -> list[Json]:
    async with aclosing(lines):
        return [line async for line in lines]


# ---- as they come


@in_virtual_time
async def test_results_come_while_the_batch_runs_until_it_has_ended() -> None:
    pages = Pages([[line(7), line(2)], [], [], [line(1, error={"code": "c"})], [line(3)]])

    async with keeping(pages.script) as (running, batches):
        lines = await told(batches.arriving("batch_1"))

    assert [line["custom_id"] for line in lines] == ["c7", "c2", "c1", "c3"]
    assert ["error" in line for line in lines] == [False, False, True, False]
    assert pages.queries == ["", "after=p1", "after=p2", "after=p3", "after=p4"]
    times = [visit.at for visit in running.visits]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert [wait > 0.4 for wait in waits] == [False, True, True, False]


@in_virtual_time
async def test_a_look_that_fails_is_made_again_where_it_was() -> None:
    pages = Pages([[line(1)], [line(2)]])

    async def script(visit: Visit) -> None:
        if len(running.visits) == 2:
            await visit.answer(b"later", 503)
        else:
            await pages.script(visit)

    async with keeping(script) as (running, batches):
        lines = await told(batches.arriving("batch_1"))

    assert [line["custom_id"] for line in lines] == ["c1", "c2"]


@in_virtual_time
async def test_merged_results_wait_for_retries_that_still_run() -> None:
    pages = Pages([[line(1), line(2)], [], [line(3)]])

    async with keeping(pages.script) as (_, batches):
        lines = await told(batches.merged("batch_1"))

    assert [line["custom_id"] for line in lines] == ["c1", "c2", "c3"]
    assert pages.queries == ["merged=true", "merged=true&after=p1", "merged=true&after=p2"]


@in_virtual_time
async def test_a_line_that_is_too_big_for_a_page_is_fetched_without_the_key() -> None:
    pages = Pages([[line(1)], [line(2)]])

    async def script(visit: Visit) -> None:
        if visit.path == "/there?signed=yes":
            await visit.answer(line(9))
        elif len(running.visits) == 1:
            await visit.answer(
                b"",
                303,
                location=f"{running.url}/there?signed=yes",
                x_nightmail_cursor="p0",
                x_nightmail_incomplete="true",
            )
        else:
            await pages.script(visit)

    async with keeping(script) as (running, batches):
        lines = await told(batches.arriving("batch_1"))

    assert [line["custom_id"] for line in lines] == ["c9", "c1", "c2"]
    assert ["authorization" in visit.headers for visit in running.visits] == [
        True,
        False,
        True,
        True,
    ]


# ---- what a batch is told


def asked(work: Any) -> tuple[Visit, Batch]:
    """The one request that a function makes, through a gateway that answers with a batch."""

    async def ask() -> tuple[Visit, Batch]:
        async with upstream(lambda visit: visit.answer(MADE, Connection="close")) as running:
            batch = await work({"base_url": running.url, "api_key": "sk-mine-0123"})
        (visit,) = running.visits
        return visit, batch

    return asyncio.run(ask())


def test_settings_of_a_batch_are_among_nightmails() -> None:
    visit, _ = asked(
        lambda gateway: nightmail.acreate_batch(
            "60h",
            input_file_id="file-1",
            metadata={"a": "b"},
            strict=True,
            on_deadline="finish_direct",
            nightmail={"dry_run": True},
            **gateway,
        )
    )

    assert visit.body == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "60h",
        "metadata": {"a": "b"},
        "nightmail": {"strict": True, "on_deadline": "finish_direct", "dry_run": True},
    }


def test_a_batch_without_settings_says_nothing_of_them() -> None:
    visit, _ = asked(lambda gateway: nightmail.acreate_batch(input_file_id="file-1", **gateway))

    assert visit.body == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {}),
        (
            {"completion_window": "2d", "metadata": {}, "dry_run": False},
            {"completion_window": "2d", "metadata": {}, "nightmail": {"dry_run": False}},
        ),
    ],
)
def test_a_retry_says_what_is_to_be_different(given: Json, sent: Json) -> None:
    visit, batch = asked(
        lambda gateway: nightmail.abatch_completion_retry("batch_1", **given, **gateway)
    )

    assert visit.path == "/batches/batch_1/retry"
    assert visit.body == sent
    assert visit.headers["idempotency-key"]
    assert batch.id == "batch_2"


def test_results_are_asked_for_in_one_order() -> None:
    with pytest.raises(nightmail.BadRequestError, match="merged"):
        nightmail.batch_completion_results("batch_1", as_completed=True, merged=True)
