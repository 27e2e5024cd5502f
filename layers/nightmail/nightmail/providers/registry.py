"""Which providers have which lane here, and how one is made.

An adapter is imported when it is first asked for: who speaks to one provider does not wait for all.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.base import BatchProvider
from nightmail.providers.direct import DirectProvider
from nightmail.providers.openai.servers import SERVERS

NATIVE = frozenset({"openai"})
_COHERE = frozenset({"cohere", "cohere_chat"})


def has_native_lane(provider: str) -> bool:
    return provider in NATIVE


def has_direct_lane(provider: str) -> bool:
    return provider == "anthropic" or provider in _COHERE or provider in SERVERS


def open_provider(deployment: Deployment, key: str | None) -> BatchProvider:
    """The native lane of `deployment`. Raises InvalidRequest where its provider has none."""
    if deployment.provider == "openai":
        from nightmail.providers.openai.provider import OpenAIProvider, open_client

        return OpenAIProvider(deployment, open_client(deployment, key), key)
    raise _no_lane(deployment, "a native batch API")


def open_direct(deployment: Deployment, key: str | None) -> DirectProvider:
    """The direct lane of `deployment`, whose api_base is no reference any more.

    Raises InvalidRequest where its provider has none.
    """
    if deployment.provider == "anthropic":
        from nightmail.providers.anthropic.provider import AnthropicProvider

        return AnthropicProvider(deployment, key)
    if deployment.provider in _COHERE:
        from nightmail.providers.cohere.provider import CohereProvider

        return CohereProvider(deployment, key)
    if deployment.provider in SERVERS:
        from nightmail.providers.openai.direct import OpenAIDirect

        return OpenAIDirect(deployment, key)
    raise _no_lane(deployment, "ordinary calls")


def _no_lane(deployment: Deployment, lane: str) -> InvalidRequest:
    return InvalidRequest(
        f"The model '{deployment.name}' cannot be used here: "
        f"this gateway has no {lane} for {deployment.provider}.",
        param="model",
        code="unsupported_provider",
    )
