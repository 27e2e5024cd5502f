"""Which providers have a native lane here, and how one is made."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.providers.base import BatchProvider
from nightmail.providers.openai.provider import OpenAIProvider, open_client

NATIVE = frozenset({"openai"})


def has_native_lane(provider: str) -> bool:
    return provider in NATIVE


def open_provider(deployment: Deployment, key: str | None) -> BatchProvider:
    """The native lane of `deployment`; its provider is one of NATIVE."""
    return OpenAIProvider(deployment, open_client(deployment, key))
