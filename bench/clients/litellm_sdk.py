"""LiteLLM's own functions, in the peers' environment."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import cache
from typing import Any

import litellm

from bench.clients.first_text import seconds_to_text
from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS

# It goes on between two races, as a server's does: what was cancelled is closed there.
_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True).start()


def many(url: str, prompts: int, concurrency: int) -> None:
    answers = litellm.batch_completion(
        model=f"openai/{MODEL}",
        messages=[MESSAGES] * prompts,
        api_base=f"{url}/v1",
        api_key=KEY,
        max_workers=concurrency,
        **PARAMETERS,
    )
    assert all(_is_answered(answer) for answer in answers)
    assert len(answers) == prompts


def alone(urls: list[str]) -> None:
    (url,) = urls
    answer = litellm.completion(
        model=f"openai/{MODEL}", messages=MESSAGES, api_base=f"{url}/v1", api_key=KEY, **PARAMETERS
    )
    assert _is_answered(answer)


def race(urls: list[str]) -> None:
    deployments = [_deployment(place, url) for place, url in enumerate(urls)]
    answer = litellm.batch_completion_models(
        messages=MESSAGES, deployments=deployments, model_list=None, **PARAMETERS
    )
    assert _is_answered(answer)


def router_race(urls: list[str]) -> None:
    """The router's race, which does cancel."""
    racing = _router(*sorted(urls)).abatch_completion_fastest_response(
        model=", ".join(urls), messages=MESSAGES, **PARAMETERS
    )
    assert _is_answered(asyncio.run_coroutine_threadsafe(racing, _loop).result())


def first_token(urls: list[str]) -> float:
    """Of one model as `completion` streams it, of more by the router's race."""
    begun = time.perf_counter()
    if len(urls) > 1:
        return asyncio.run_coroutine_threadsafe(_first_token_of_race(urls, begun), _loop).result()
    chunks = litellm.completion(
        messages=MESSAGES, stream=True, **_deployment(0, urls[0]), **PARAMETERS
    )
    return seconds_to_text(begun, chunks)


async def _first_token_of_race(urls: list[str], begun: float) -> float:
    chunks = await _router(*sorted(urls)).abatch_completion_fastest_response(
        model=", ".join(urls), messages=MESSAGES, stream=True, **PARAMETERS
    )
    said_at = [time.perf_counter() async for chunk in chunks if chunk.choices[0].delta.content]
    return said_at[0] - begun


@cache
def _router(*urls: str) -> Any:
    """One for all races: making it takes seconds. A deployment's name is its URL."""
    return litellm.Router(
        model_list=[{"model_name": url, "litellm_params": _deployment(0, url)} for url in urls]
    )


def _deployment(place: int, url: str) -> dict[str, str]:
    return {"model": f"openai/runner-{place}", "api_base": f"{url}/v1", "api_key": KEY}


def _is_answered(answer: Any) -> bool:
    return bool(answer.choices[0].message.content)
