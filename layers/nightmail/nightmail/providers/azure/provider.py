"""The direct lane to Azure OpenAI: what OpenAI would be sent, at another address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nightmail.deployment import Deployment
from nightmail.providers.azure.service import SERVER, address_of, headers_of
from nightmail.providers.direct import HttpRequest
from nightmail.providers.openai_protocol.direct import OpenAIDirect


class AzureDirect(OpenAIDirect):
    """One deployment's ordinary endpoints. Raises InvalidRequest where nobody said where they are."""

    def __init__(self, deployment: Deployment, key: str | None) -> None:
        super().__init__(deployment, SERVER, key)
        self._address = address_of(deployment)

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        written = super().request(endpoint, body, stream=stream)
        headers = {"content-type": "application/json", **headers_of(self._key)}
        url = self._address.url_of(endpoint, self._deployment.model)
        return replace(written, url=url, headers=headers)
