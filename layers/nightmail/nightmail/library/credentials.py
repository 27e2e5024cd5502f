"""Keys by a digest, so that no deployment, and no log of one, holds a key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nightmail.deployment import Deployment
from nightmail.providers.direct import (
    ChunkReader,
    DirectProvider,
    HttpAnswer,
    HttpRequest,
    JsonObject,
)
from nightmail.providers.divided import Divides
from nightmail.providers.registry import open_direct

_DIGEST_LENGTH = 16


@dataclass(frozen=True)
class Credentials:
    """What goes with every request to a server; `aws` are fields of a deployment at Bedrock."""

    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        text = repr((self.key, sorted(self.headers.items()), sorted(self.aws.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


class KeyRing:
    """The credentials of all deployments of a process."""

    def __init__(self) -> None:
        self._kept: dict[str, Credentials] = {}

    def keep(self, credentials: Credentials) -> str:
        """What a deployment has as its `api_key`."""
        self._kept[credentials.digest] = credentials
        return credentials.digest

    def direct_of(self, deployment: Deployment) -> DirectProvider:
        """The direct lane of a deployment. Raises InvalidRequest."""
        credentials = self._kept[deployment.api_key or ""]
        provider = open_direct(deployment.model_copy(update=credentials.aws), credentials.key)
        return _WithHeaders(provider, credentials.headers) if credentials.headers else provider


class _WithHeaders:
    """A provider whose requests carry a caller's headers too."""

    def __init__(self, provider: DirectProvider, headers: Mapping[str, str]) -> None:
        self.name = provider.name
        self.endpoints = provider.endpoints
        self._provider = provider
        self._headers = headers

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        written = self._provider.request(endpoint, body, stream=stream)
        return replace(written, headers={**written.headers, **self._headers})

    def divided(self, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return self._provider.divided(body) if isinstance(self._provider, Divides) else [body]

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        return self._provider.answer(endpoint, body, answer)

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        return self._provider.reader(body)
