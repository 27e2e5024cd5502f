"""OpenAI's own client: straight to the upstream, or to a gateway before it."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from openai import DefaultHttpxClient, OpenAI

from bench.clients.first_text import seconds_to_text
from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS, model_of


def first_token(urls: list[str]) -> float:
    (url,) = urls
    return _first_token(_client(f"{url}/v1", KEY), MODEL)


def first_token_through(urls: list[str], gateway: str, key: str) -> float:
    """Of the gateway's models that are at these URLs, which race."""
    names = ",".join(map(model_of, urls))
    return _first_token(_client(gateway, key), names, extra_body={"fastest_response": True})


def _first_token(client: OpenAI, model: str, **others: Any) -> float:
    body = {"model": model, "messages": MESSAGES, "stream": True, **PARAMETERS, **others}
    begun = time.perf_counter()
    chunks = client.chat.completions.create(**body)
    return seconds_to_text(begun, chunks)


@cache
def _client(base_url: str, key: str) -> OpenAI:
    return OpenAI(base_url=base_url, api_key=key, http_client=DefaultHttpxClient(trust_env=False))
