"""Anthropic's ordinary endpoint: Messages."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.providers.anthropic.answer import to_completion
from nightmail.providers.anthropic.errors import is_error, late_error
from nightmail.providers.anthropic.request import to_messages_request
from nightmail.providers.anthropic.stream import MessageReader
from nightmail.providers.anthropic.tools import wants_functions
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.direct import ChunkReader, HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.http import garbled, read_answer
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import check_endpoint, with_defaults

_BASE = "https://api.anthropic.com"
VERSION = "2023-06-01"


class AnthropicProvider:
    """One deployment's chat. `key` may be missing where the server at its api_base asks for none."""

    endpoints = frozenset({CHAT})

    def __init__(self, deployment: Deployment, key: str | None) -> None:
        self.name = deployment.provider
        self._deployment = deployment
        self._key = key
        self._url = f"{api_of(deployment)}/messages"
        self._headers = {"content-type": "application/json", **headers_of(key)}

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        check_endpoint(endpoint, self.endpoints, self._deployment)
        message = to_messages_request(body, self._deployment, stream=stream)
        return HttpRequest(self._url, self._headers, write_json(message))

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        check_endpoint(endpoint, self.endpoints, self._deployment)
        message = read_answer(answer, self.name, self._key)
        if is_error(message):
            raise late_error(answer.content, self.name, self._key)
        functions = wants_functions(with_defaults(body, self._deployment))
        completion = to_completion(message, created=int(time()), functions=functions)
        if completion is None:
            raise garbled(self.name, "with something that is not a message", answer.status)
        details = {"provider": self.name, "model": message.get("model")}
        return {**completion, "model": self._deployment.name, "nightmail": details}

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        given = with_defaults(body, self._deployment)
        chunks = Chunks.of(given, self._deployment)
        return MessageReader(self.name, self._key, chunks, functions=wants_functions(given))


def api_of(deployment: Deployment) -> str:
    """The URL that a path such as `/messages` is put behind."""
    base = (deployment.api_base or _BASE).rstrip("/").removesuffix("/v1")
    return f"{base}/v1"


def headers_of(key: str | None) -> dict[str, str]:
    """What every call has."""
    key_header = {"x-api-key": key} if key else {}
    return {"anthropic-version": VERSION, **key_header}
