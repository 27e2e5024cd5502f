"""Cohere's ordinary endpoints: chat and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.errors import ProviderError
from nightmail.providers.cohere import embeddings, parameters
from nightmail.providers.cohere.answer import failure
from nightmail.providers.cohere.chat import from_chat, to_chat
from nightmail.providers.cohere.stream import CohereReader
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.direct import HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.http import openai_details, provider_error, read_answer
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import check_endpoint, leave_out, with_defaults

_BASE = "https://api.cohere.com"
_PATHS = {CHAT: "/v2/chat", EMBEDDINGS: "/v2/embed"}
_SUPPORTED = {CHAT: parameters.SUPPORTED, EMBEDDINGS: embeddings.SUPPORTED}
# Statuses of Cohere's own, as what they mean elsewhere, with a code: a text that Cohere blocks, and
# a call that was ended before its answer (https://docs.cohere.com/reference/chat, errors).
_OWN_STATUSES = {498: ("content_filter", 400), 499: (None, 503)}


class CohereProvider:
    """A DirectProvider. `key` may be missing where the server at its api_base asks for none."""

    endpoints = frozenset(_PATHS)

    def __init__(self, deployment: Deployment, key: str | None) -> None:
        self.name = deployment.provider
        self._deployment, self._key = deployment, key
        self._base = (deployment.api_base or _BASE).rstrip("/").removesuffix("/v2")
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        check_endpoint(endpoint, _PATHS, self._deployment)
        given = with_defaults(body, self._deployment, endpoint)
        leave_out(given, given.keys() - _SUPPORTED[endpoint], self._deployment)
        model = self._deployment.model
        if endpoint == EMBEDDINGS:
            fields = embeddings.to_embed(given, model)
        else:
            fields = {**to_chat(given, model), "stream": stream}
        return HttpRequest(self._base + _PATHS[endpoint], self._headers, write_json(fields))

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        if answer.status in _OWN_STATUSES:
            raise self._own_error(answer)
        entry = read_answer(answer, self.name, self._key)
        if isinstance(words := entry.get("message"), str):
            raise failure(words, self.name, self._key)
        model = self._deployment.name
        if endpoint == EMBEDDINGS:
            given = with_defaults(body, self._deployment, endpoint)
            converted = embeddings.from_embed(entry, given, model, self.name)
        else:
            converted = from_chat(entry, model, int(time()), self.name)
        details = {"provider": self.name, "model": self._deployment.model}
        return {**converted, "nightmail": details}

    def reader(self, body: Mapping[str, Any]) -> CohereReader:
        chunks = Chunks.of(with_defaults(body, self._deployment), self._deployment)
        return CohereReader(self.name, self._key, chunks)

    def _own_error(self, answer: HttpAnswer) -> ProviderError:
        code, means = _OWN_STATUSES[answer.status]
        message, param, _ = openai_details(answer.content)
        return provider_error(
            (message, param, code),
            provider=self.name,
            key=self._key,
            status=answer.status,
            means=means,
        )
