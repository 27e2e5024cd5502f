"""The direct lane to OpenAI, and to whoever speaks its protocol at another base URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.providers.direct import HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.http import read_answer
from nightmail.providers.json_text import write_json
from nightmail.providers.openai_protocol.answer import mend_answer
from nightmail.providers.openai_protocol.failure import failure_in
from nightmail.providers.openai_protocol.request import base_of, to_request
from nightmail.providers.openai_protocol.servers import Server
from nightmail.providers.openai_protocol.stream import OpenAIReader


class OpenAIDirect:
    """One deployment's ordinary endpoints. Raises InvalidRequest where nobody said where they are."""

    def __init__(self, deployment: Deployment, server: Server, key: str | None) -> None:
        self.name = deployment.provider
        self.endpoints = frozenset(server.endpoints)
        self._deployment = deployment
        self._server = server
        self._key = key
        self._base = base_of(deployment, server)
        self._headers = _headers(deployment, key)

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        parameters = to_request(endpoint, body, self._deployment, self._server, stream=stream)
        url = self._base + endpoint.removeprefix("/v1")
        return HttpRequest(url, self._headers, write_json(parameters))

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        read = read_answer(answer, self.name, self._key)
        failure = failure_in(read, self.name, self._key)
        if failure:
            raise failure
        mend_answer(endpoint, read, body, self.name)
        read["nightmail"] = {
            "provider": self.name,
            "model": read.get("model") or self._deployment.model,
        }
        read["model"] = self._deployment.name
        return read

    def reader(self, body: Mapping[str, Any]) -> OpenAIReader:
        return OpenAIReader(
            body, provider=self.name, key=self._key, public_model=self._deployment.name
        )


def _headers(deployment: Deployment, key: str | None) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    if deployment.organization:
        headers["openai-organization"] = deployment.organization
    return headers
