"""What each provider is sent for a plain chat, and what its page of the simulator answers: without a socket."""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson
from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.provider_names import SERVED
from nightmail.providers.direct import HttpRequest, JsonObject
from nightmail.providers.registry import card_of, open_direct

from bench.clients.exchanges import Exchange
from bench.clients.prompts import KEY, PARAMETERS, Messages
from local.simulator.addresses import PROVIDERS, address_of, base_of
from local.simulator.dialect import Dialect
from local.simulator.dialects import dialect_of

# The names of models differ in what they can; elsewhere any will do.
_MODELS = {
    "anthropic": "claude-haiku-4-5",
    "azure": "gpt-4o-mini",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "command-a-03-2025",
    "gemini": "gemini-2.5-flash",
    "openai": "gpt-4o-mini",
}
_SIMULATOR = "http://127.0.0.1:4010"
_QUESTION = (
    "Which of these reasons weighs most, and what would have to be true for another one to? "
)


def providers() -> list[str]:
    """One for each folder, by the longest of its names that the simulator has: that one is LiteLLM's too."""
    cards = filter(None, map(card_of, SERVED))
    simulated = (card.names.intersection(PROVIDERS) for card in cards)
    return sorted({max(names, key=len) for names in simulated if names})


def exchange_with(provider: str, words: int) -> Exchange:
    """A question of about 800 bytes, and an answer of so many words."""
    base = base_of(_SIMULATOR, provider)
    model = _MODELS.get(provider, "llama-3.3-70b-versatile")
    messages = _messages(words)
    parameters = {**PARAMETERS, "max_tokens": words}
    deployment = Deployment(name="bench", provider=provider, model=model, api_base=base)
    adapter = open_direct(deployment, KEY)
    body = {"model": model, "messages": messages, **parameters}
    dialect = dialect_of(provider)
    answer, _ = _answer(dialect, adapter.request(CHAT, body))
    _, pieces = _answer(dialect, adapter.request(CHAT, body, stream=True))
    return Exchange(provider, model, base, messages, parameters, words, answer, pieces)


def _answer(dialect: Dialect, request: HttpRequest) -> tuple[bytes, tuple[bytes, ...]]:
    """As a whole, and as a stream."""
    path = address_of(urlsplit(request.url).path).path
    body: JsonObject = dialect.read(path, orjson.loads(request.content))
    answer = dialect.answer(path, body, None)
    events = dialect.events(path, body, answer)
    return orjson.dumps(answer), tuple(event.content for event in events)


def _messages(words: int) -> Messages:
    return [
        {"role": "system", "content": "You weigh reasons, and say briefly what came of it."},
        {"role": "user", "content": _QUESTION * 9},
        {"role": "assistant", "content": "The second one."},
        {"role": "user", "content": f"Say more. [[long:{words}]]"},
    ]
