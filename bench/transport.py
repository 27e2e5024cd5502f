"""What one request costs each HTTP client, and our engine over one of them.

httpx-aiohttp and uvloop take part where they are installed; the project does not need them. All send the
same POST of about 1 KB to a server in another process and parse its answer; the rounds of all clients are
interleaved.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

import aiohttp
import httpx
import orjson
from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.providers.registry import open_direct

from bench.upstream import running_upstream

MODEL = "gpt-5-mini"
FEW = 10
ENDPOINT = "/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "x" * 800}],
    "temperature": 0.5,
    "max_tokens": 100,
}
HEADERS = {"authorization": "Bearer sk-bench", "content-type": "application/json"}


Run = Callable[[str, int, int], Coroutine[Any, Any, None]]


class Client(NamedTuple):
    """`run(url, requests, concurrency)` within a loop of `loop`'s."""

    name: str
    run: Run
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop


class Round(NamedTuple):
    """What one request cost a client: seconds by the clock, and of this process's CPU."""

    seconds: float
    cpu_seconds: float


async def _many(send: Callable[[], Awaitable[Any]], requests: int, concurrency: int) -> None:
    """Call `send` so often, from as many workers as may be in flight."""
    rest = iter(range(requests))

    async def work() -> None:
        for _ in rest:
            await send()

    await asyncio.gather(*(work() for _ in range(concurrency)))


@asynccontextmanager
async def _httpx_client(
    concurrency: int, *, over_aiohttp: bool
) -> AsyncGenerator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    if not over_aiohttp:
        async with httpx.AsyncClient(limits=limits, trust_env=False, timeout=600) as client:
            yield client
        return
    over_aiohttp_client = import_module("httpx_aiohttp").HttpxAiohttpClient
    async with over_aiohttp_client(limits=limits, trust_env=False, timeout=600) as client:
        yield client


async def by_httpx(
    url: str, requests: int, concurrency: int, *, over_aiohttp: bool = False
) -> None:
    async with _httpx_client(concurrency, over_aiohttp=over_aiohttp) as client:

        async def send() -> None:
            content = orjson.dumps(BODY)
            answer = await client.post(url + ENDPOINT, content=content, headers=HEADERS)
            assert orjson.loads(answer.content)["choices"]

        await _many(send, requests, concurrency)


async def by_aiohttp(url: str, requests: int, concurrency: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send() -> None:
            data = orjson.dumps(BODY)
            async with session.post(url + ENDPOINT, data=data, headers=HEADERS) as answer:
                assert orjson.loads(await answer.read())["choices"]

        await _many(send, requests, concurrency)


async def by_engine(url: str, requests: int, concurrency: int) -> None:
    deployment = Deployment(name=MODEL, provider="openai", model=MODEL, api_base=f"{url}/v1")
    calls = (Call([deployment], ENDPOINT, BODY) for _ in range(requests))
    async with Engine(partial(open_direct, key="sk-bench"), concurrency=concurrency) as engine:
        async for _, outcome in engine.run(calls):
            assert outcome.body["choices"]  # type: ignore[union-attr]


def clients(concurrency: int, *, slow: bool) -> list[Client]:
    """Those that are installed; httpx's own pool at a high concurrency only where it is wanted."""
    found = [Client("aiohttp", by_aiohttp), Client("nightmail's engine", by_engine)]
    if find_spec("uvloop"):
        uvloop = import_module("uvloop").new_event_loop
        found += [Client(f"{name} on uvloop", run, uvloop) for name, run, _ in found]
    if find_spec("httpx_aiohttp"):
        found.append(Client("httpx over aiohttp", partial(by_httpx, over_aiohttp=True)))
    if slow or concurrency <= FEW:
        found.append(Client("httpx", by_httpx))
    return found


def measure(client: Client, url: str, requests: int, concurrency: int) -> Round:
    gc.collect()
    start, start_of_cpu = time.perf_counter(), time.process_time()
    with asyncio.Runner(loop_factory=client.loop) as runner:
        runner.run(client.run(url, requests, concurrency))
    return Round(
        (time.perf_counter() - start) / requests, (time.process_time() - start_of_cpu) / requests
    )


def compare(url: str, options: argparse.Namespace, concurrency: int) -> None:
    """Prints a table; the first client is the measure of the others."""
    rounds: dict[str, list[Round]] = defaultdict(list)
    found = clients(concurrency, slow=options.slow)
    for turn in range(options.rounds + 1):
        for client in found[turn % len(found) :] + found[: turn % len(found)]:
            measured = measure(client, url, options.requests, concurrency)
            if turn:  # the first round warms up
                rounds[client.name].append(measured)
    print(f"\n{options.requests} requests, {concurrency} at a time, medians of {options.rounds}")
    print(f"| {'client':<28} | requests/s | x aiohttp | CPU us | x aiohttp |")
    print(f"|{'-' * 30}|{'-' * 12}|{'-' * 11}|{'-' * 8}|{'-' * 11}|")
    seconds, cpu = _medians(rounds[found[0].name])
    for client in found:
        own_seconds, own_cpu = _medians(rounds[client.name])
        print(
            f"| {client.name:<28} | {1 / own_seconds:>10.0f} | {seconds / own_seconds:>9.2f} "
            f"| {own_cpu * 1e6:>6.0f} | {own_cpu / cpu:>9.2f} |"
        )


def _medians(rounds: list[Round]) -> tuple[float, float]:
    return median(one.seconds for one in rounds), median(one.cpu_seconds for one in rounds)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench transport", description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[FEW, 100])
    parser.add_argument("--milliseconds", type=int, default=0, help="the server's own time")
    parser.add_argument("--slow", action="store_true", help="httpx's own pool at any concurrency")
    options = parser.parse_args(arguments)
    with running_upstream() as url:
        for concurrency in options.concurrency:
            compare(f"{url}/{options.milliseconds}", options, concurrency)
