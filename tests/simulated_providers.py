"""Calls of all the providers that the simulator is, in the words of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from local.simulator.client import SimulatorClient
from tests.simulated import KEY, Json, Provider, chat

HEADERS = {
    "authorization": f"Bearer {KEY}",
    "anthropic-version": "2023-06-01",
}
PATHS = {
    "openai": "/chat/completions",
    "groq": "/chat/completions",
    "anthropic": "/v1/messages",
    "cohere": "/v2/chat",
}
PROVIDERS = sorted(PATHS)


def url_of(simulator: SimulatorClient, provider: str) -> str:
    return f"{simulator.base_of(provider)}{PATHS[provider]}"


def body_of(provider: str, text: str = "Stream this", model: str = "m") -> Json:
    more = {"max_tokens": 1000} if provider == "anthropic" else {}
    return {**chat(text, stream=True, **more), "model": model}


def ask(provider: Provider, name: str, text: str = "Hi", model: str = "m") -> httpx.Response:
    """An answer in one piece, of any provider."""
    url = url_of(provider.simulator, name)
    body = body_of(name, text, model) | {"stream": False}
    return provider.http.post(url, json=body, headers=HEADERS)


@contextmanager
def streaming(
    simulator: SimulatorClient, provider: str, model: str = "m"
) -> Iterator[httpx.Response]:
    """An open stream, status and headers being there; leaving the block closes the connection."""
    url, body = url_of(simulator, provider), body_of(provider, model=model)
    with (
        httpx.Client(headers=HEADERS, trust_env=False, timeout=30) as http,
        http.stream("POST", url, json=body) as answer,
    ):
        yield answer


def message(text: str = "Hi", **more: object) -> Json:
    """A request to Anthropic."""
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-4-5", "max_tokens": 2000, "messages": messages, **more}


def ask_anthropic(http: httpx.Client, text: str = "Hi", **more: object) -> httpx.Response:
    return http.post("/v1/messages", json=message(text, **more))


@contextmanager
def anthropic_client(simulator: SimulatorClient) -> Iterator[httpx.Client]:
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    base_url = simulator.base_of("anthropic")
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        yield http
