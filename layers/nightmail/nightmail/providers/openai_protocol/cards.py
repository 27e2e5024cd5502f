"""The cards of providers that speak OpenAI's protocol: their data is all that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nightmail.deployment import Deployment
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.servers import Server


def openai_card(servers: Mapping[str, Server]) -> Card:
    """Of servers that have no batches, by the names of their providers."""
    return Card(
        names=frozenset(servers),
        direct_endpoints=lambda name: frozenset(servers[name].endpoints),
        open_direct=_direct(servers),
        bases=_bases(servers),
    )


def openai_batch_card(
    servers: Mapping[str, Server],
    api: BatchApi,
    has_batches: Callable[[Deployment], bool] = lambda _: True,
) -> Card:
    """Of servers that have the batches of `api` too."""

    def format_of(deployment: Deployment) -> BatchFormat:
        from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

        return OpenAIFormat(deployment, servers[deployment.provider], api)

    def open_batches(deployment: Deployment, key: str | None) -> BatchProvider:
        from nightmail.providers.openai_protocol.batches import open_batches

        return open_batches(deployment, servers[deployment.provider], api, key)

    return Card(
        names=frozenset(servers),
        direct_endpoints=lambda name: frozenset(servers[name].endpoints),
        open_direct=_direct(servers),
        format=format_of,
        open_batches=open_batches,
        has_batches=has_batches,
        bases=_bases(servers),
    )


def _direct(servers: Mapping[str, Server]) -> Callable[[Deployment, str | None], DirectProvider]:
    def open_direct(deployment: Deployment, key: str | None) -> DirectProvider:
        from nightmail.providers.openai_protocol.direct import OpenAIDirect

        return OpenAIDirect(deployment, servers[deployment.provider], key)

    return open_direct


def _bases(servers: Mapping[str, Server]) -> dict[str, str]:
    return {name: server.base for name, server in servers.items() if server.base}
