"""One call as cheap as aiohttp makes it, with a loop and a session of its own as in a Lambda."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import orjson

from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS

_BODY = {"model": MODEL, "messages": MESSAGES, **PARAMETERS}
_HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def one(url: str) -> None:
    asyncio.run(_one(f"{url}/v1/chat/completions"))


def first_token(urls: list[str]) -> float:
    (url,) = urls
    return asyncio.run(_first_token(f"{url}/v1/chat/completions"))


async def _first_token(url: str) -> float:
    begun = time.perf_counter()
    body = orjson.dumps({**_BODY, "stream": True})
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=_HEADERS) as answer,
    ):
        came_at = [time.perf_counter() async for _ in answer.content.iter_any()]
    return came_at[0] - begun


async def _one(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=orjson.dumps(_BODY), headers=_HEADERS) as answer,
    ):
        assert orjson.loads(await answer.read())["choices"]
