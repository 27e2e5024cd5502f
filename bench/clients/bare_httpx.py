"""A loop over httpx, as many programs have one: its own pool, JSON both ways, and nothing else."""

from __future__ import annotations

import asyncio

import httpx

from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS

_BODY = {"model": MODEL, "messages": MESSAGES, **PARAMETERS}
_HEADERS = {"authorization": f"Bearer {KEY}"}


def many(url: str, prompts: int, concurrency: int) -> None:
    asyncio.run(_many(f"{url}/v1/chat/completions", prompts, concurrency))


async def _many(url: str, prompts: int, concurrency: int) -> None:
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    free = asyncio.Semaphore(concurrency)
    async with httpx.AsyncClient(limits=limits, trust_env=False, timeout=600) as client:

        async def send() -> None:
            async with free:
                answer = await client.post(url, json=_BODY, headers=_HEADERS)
                assert answer.json()["choices"]

        await asyncio.gather(*(send() for _ in range(prompts)))
