"""One call as cheap as aiohttp makes it, with a loop and a session of its own as in a Lambda."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson

from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS

_BODY = {"model": MODEL, "messages": MESSAGES, **PARAMETERS}
_HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def one(url: str) -> None:
    asyncio.run(_one(f"{url}/v1/chat/completions"))


async def _one(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=orjson.dumps(_BODY), headers=_HEADERS) as answer,
    ):
        assert orjson.loads(await answer.read())["choices"]
