"""Bedrock's ordinary calls: Converse for chat, InvokeModel for embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import time
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.providers.bedrock.answer import to_completion
from nightmail.providers.bedrock.aws import base_of, bearer_of, model_of, signature
from nightmail.providers.bedrock.embeddings import (
    SUPPORTED,
    from_invocation,
    is_embedding_model,
    one_by_one,
    to_invocation,
    tokens_of,
)
from nightmail.providers.bedrock.errors import raise_for_answer
from nightmail.providers.bedrock.request import to_converse
from nightmail.providers.bedrock.stream import ConverseReader
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.direct import ChunkReader, HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.http import garbled, read_answer
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import check_endpoint, leave_out, with_defaults

_REQUEST_ID = "x-amzn-requestid"
_JSON = {"content-type": "application/json"}


class BedrockProvider:
    """One deployment's model, which has either chat or embeddings.

    `key` is a Bedrock API key; without one, requests are signed with the deployment's credentials or
    those of this process.
    """

    def __init__(self, deployment: Deployment, key: str | None) -> None:
        self.name = deployment.provider
        self.endpoints = frozenset({EMBEDDINGS if is_embedding_model(deployment.model) else CHAT})
        self._deployment = deployment
        self._key = key or bearer_of(deployment)
        self._headers = {**_JSON, **_bearer(self._key)}
        # SigV4 signs the path as it is sent: a colon stays, a slash of an ARN does not.
        model = quote(model_of(deployment), safe=":")
        self._url = f"{base_of(deployment)}/model/{model}"

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        check_endpoint(endpoint, self.endpoints, self._deployment)
        if endpoint == EMBEDDINGS:
            given = self._embedding_parameters(body)
            leave_out(given, given.keys() - SUPPORTED, self._deployment)
            return self._written("invoke", to_invocation(given, self._deployment))
        action = "converse-stream" if stream else "converse"
        return self._written(action, to_converse(body, self._deployment))

    def divided(self, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return one_by_one(body, self._embedding_parameters(body), self._deployment)

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        check_endpoint(endpoint, self.endpoints, self._deployment)
        raise_for_answer(answer, self.name, self._key)
        said = read_answer(answer, self.name, self._key)
        if endpoint == EMBEDDINGS:
            converted = self._embedded(said, body, answer)
        else:
            converted = self._completed(said, answer)
        details = {"provider": self.name, "model": self._deployment.model}
        return {**converted, "model": self._deployment.name, "nightmail": details}

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        chunks = Chunks.of(with_defaults(body, self._deployment), self._deployment)
        chunks.identity = str(uuid4())
        return ConverseReader(self.name, self._key, chunks)

    def _written(self, action: str, fields: JsonObject) -> HttpRequest:
        url, content = f"{self._url}/{action}", write_json(fields)
        return HttpRequest(url, self._headers, content, self._signing(url, content))

    def _signing(self, url: str, content: bytes) -> Callable[[], Mapping[str, str]] | None:
        if self._key:
            return None
        return partial(signature, self._deployment, url, self._headers, content)

    def _completed(self, said: JsonObject, answer: HttpAnswer) -> JsonObject:
        identity = answer.headers.get(_REQUEST_ID) or str(uuid4())
        completion = to_completion(said, identity=identity, created=int(time()))
        if completion is None:
            raise garbled(self.name, "with something that is not a message", answer.status)
        return completion

    def _embedded(
        self, said: JsonObject, body: Mapping[str, Any], answer: HttpAnswer
    ) -> JsonObject:
        data = from_invocation(said, self._embedding_parameters(body), self.name)
        read = tokens_of(said, answer)
        return {
            "object": "list",
            "data": data,
            "usage": {"prompt_tokens": read, "total_tokens": read},
        }

    def _embedding_parameters(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return with_defaults(body, self._deployment, EMBEDDINGS)


def _bearer(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}
