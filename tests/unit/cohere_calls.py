"""Calls of one Cohere deployment, without a network: what is sent, and what comes of an answer."""

from __future__ import annotations

from typing import Any

import orjson
from nightmail.deployment import Deployment
from nightmail.providers.cohere.provider import CohereProvider
from nightmail.providers.direct import HttpAnswer, JsonObject

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
KEY = "co-secret-key"
MODEL = "command-a-03-2025"
QUESTION = [{"role": "user", "content": "Hi"}]


def provider(**changes: Any) -> CohereProvider:
    fields: JsonObject = {"name": "public", "provider": "cohere", "model": MODEL}
    return CohereProvider(Deployment(**(fields | changes)), KEY)


def sent(body: JsonObject, endpoint: str = CHAT, **changes: Any) -> JsonObject:
    """The JSON that Cohere is sent for OpenAI's `body`."""
    read: JsonObject = orjson.loads(provider(**changes).request(endpoint, body).content)
    return read


def asked(**parameters: Any) -> JsonObject:
    """What Cohere is sent for a question with these parameters, without what is always there."""
    always = ("model", "messages", "stream")
    fields = sent({"messages": QUESTION, **parameters})
    return {name: value for name, value in fields.items() if name not in always}


def turns(*messages: JsonObject) -> list[JsonObject]:
    """These messages of OpenAI's as Cohere's."""
    read: list[JsonObject] = sent({"messages": list(messages)})["messages"]
    return read


def answered(
    content: Any, endpoint: str = CHAT, body: JsonObject | None = None, status: int = 200
) -> JsonObject:
    """Cohere's answer as OpenAI's; `content` is bytes, or what they are the JSON of."""
    written = content if isinstance(content, bytes) else orjson.dumps(content)
    return provider().answer(endpoint, body or {}, HttpAnswer(status, {}, written))


def message_of(**message: Any) -> JsonObject:
    """The message of a chat answer whose message Cohere wrote like this."""
    answer = answered({"id": "c1", "message": message, "finish_reason": "COMPLETE"})
    read: JsonObject = answer["choices"][0]["message"]
    return read
