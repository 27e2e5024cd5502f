"""What an adapter of this project does for one call, beside sending it."""

from __future__ import annotations

from functools import cache

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.providers.direct import DirectProvider, HttpAnswer
from nightmail.providers.registry import open_direct

from bench.clients.exchanges import exchange_at
from bench.clients.prompts import KEY

_OK = 200


def request(path: str) -> None:
    """OpenAI's request as the provider's: URL, headers, bytes."""
    exchange = exchange_at(path)
    body = {"model": exchange.model, "messages": exchange.messages, **exchange.parameters}
    assert _adapter(path).request(CHAT, body).content


def answer(path: str) -> None:
    """The provider's bytes as OpenAI's answer."""
    exchange = exchange_at(path)
    whole = HttpAnswer(_OK, {"content-type": "application/json"}, exchange.answer)
    answered = _adapter(path).answer(CHAT, {"model": exchange.model}, whole)
    assert answered["choices"][0]["message"]["content"]


def stream(path: str) -> None:
    """The provider's events as OpenAI's chunks."""
    exchange = exchange_at(path)
    reader = _adapter(path).reader({"model": exchange.model})
    chunks = [chunk for piece in exchange.pieces for chunk in reader.feed(piece)]
    chunks += reader.close()
    assert len(chunks) >= exchange.words


@cache
def _adapter(path: str) -> DirectProvider:
    exchange = exchange_at(path)
    entry = {"name": exchange.model, "provider": exchange.provider, "model": exchange.model}
    return open_direct(Deployment.model_validate({**entry, "api_base": exchange.base}), KEY)
