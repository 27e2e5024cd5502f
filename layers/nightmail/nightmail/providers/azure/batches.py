"""The native lane to Azure OpenAI: OpenAI's batches at another address."""

from __future__ import annotations

from dataclasses import replace

from nightmail.deployment import Deployment
from nightmail.providers.azure.service import BATCHES, DATED_BATCHES, address_of, headers_of
from nightmail.providers.native_http import open_client
from nightmail.providers.openai_protocol.batches import OpenAIBatches

# A resource keeps 500 input files, and 10,000 that expire; 14 days are the fewest.
_EXPIRY = {"expires_after[anchor]": "created_at", "expires_after[seconds]": f"{14 * 24 * 3600}"}
_WITH_EXPIRY = replace(BATCHES, form={**BATCHES.form, **_EXPIRY})


def open_batches(deployment: Deployment, key: str | None) -> OpenAIBatches:
    """Raises InvalidRequest where nobody said where the resource is."""
    address = address_of(deployment)
    headers = tuple(headers_of(key).items())
    http = open_client(address.base, headers, deployment.timeout_seconds, address.query)
    api = DATED_BATCHES if address.is_dated else _WITH_EXPIRY
    return OpenAIBatches(deployment, http, key, api, model=deployment.model)
