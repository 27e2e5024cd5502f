"""Gemini's ordinary endpoints: chat by generateContent, and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any
from urllib.parse import quote

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.direct import ChunkReader, HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.gemini import embeddings
from nightmail.providers.gemini.answer import to_completion
from nightmail.providers.gemini.errors import late_error, to_error, told_in
from nightmail.providers.gemini.request import to_generate_request
from nightmail.providers.gemini.stream import GeminiReader
from nightmail.providers.http import SUCCESS, garbled, read_answer
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import check_endpoint, leave_out, with_defaults

_BASE = "https://generativelanguage.googleapis.com"
VERSION = "/v1beta"


class GeminiProvider:
    """A DirectProvider. `key` may be missing where the server at its api_base asks for none."""

    endpoints = frozenset({CHAT, EMBEDDINGS})

    def __init__(self, deployment: Deployment, key: str | None) -> None:
        self.name = deployment.provider
        self._deployment = deployment
        self._key = key
        self._url = f"{root_of(deployment)}{VERSION}/{quote(model_path(deployment))}"
        self._headers = {"content-type": "application/json", **headers_of(key)}

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        check_endpoint(endpoint, self.endpoints, self._deployment)
        if endpoint == EMBEDDINGS:
            return self._to_send("batchEmbedContents", self._to_embed(body))
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return self._to_send(verb, to_generate_request(body, self._deployment))

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        content = self._read(answer)
        if endpoint == EMBEDDINGS:
            given = with_defaults(body, self._deployment, endpoint)
            converted = embeddings.from_embed(content, given, self.name)
        else:
            converted = to_completion(content, created=int(time())) or self._no_answer(answer)
        details = {"provider": self.name, "model": own_model(content, self._deployment)}
        return {**converted, "model": self._deployment.name, "nightmail": details}

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        given = with_defaults(body, self._deployment)
        chunks, wanted = Chunks.of(given, self._deployment), given.get("n", 1)
        candidates = wanted if isinstance(wanted, int) else 1
        return GeminiReader(self.name, self._key, chunks, candidates=candidates)

    def _to_embed(self, body: Mapping[str, Any]) -> JsonObject:
        given = with_defaults(body, self._deployment, EMBEDDINGS)
        leave_out(given, given.keys() - embeddings.SUPPORTED, self._deployment)
        return embeddings.to_embed(given, model_path(self._deployment))

    def _to_send(self, verb: str, content: JsonObject) -> HttpRequest:
        return HttpRequest(f"{self._url}:{verb}", self._headers, write_json(content))

    def _read(self, answer: HttpAnswer) -> JsonObject:
        if answer.status not in SUCCESS:
            raise to_error(answer, self.name, self._key)
        content = read_answer(answer, self.name, self._key)
        if told := told_in(content):
            raise late_error(told, self.name, self._key)
        return content

    def _no_answer(self, answer: HttpAnswer) -> JsonObject:
        raise garbled(self.name, "with something that is not an answer", answer.status)


def root_of(deployment: Deployment) -> str:
    """The URL that `/v1beta` and `/upload/v1beta` are put behind."""
    return (deployment.api_base or _BASE).rstrip("/").removesuffix(VERSION)


def headers_of(key: str | None) -> dict[str, str]:
    """What every call has."""
    return {"x-goog-api-key": key} if key else {}


def model_path(deployment: Deployment) -> str:
    """The model as Gemini's URLs name it: `models/gemini-2.5-flash`, `tunedModels/mine`."""
    model = deployment.model
    return model if "/" in model else f"models/{model}"


def own_model(answer: JsonObject, deployment: Deployment) -> str:
    """The name that the answer tells; embeddings tell none."""
    told = answer.get("modelVersion")
    return told if isinstance(told, str) and told else deployment.model
