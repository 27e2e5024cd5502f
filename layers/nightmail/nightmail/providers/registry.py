"""Which providers have which lane here, and how one is made.

An adapter is imported when it is first asked for: who speaks to one provider does not wait for all.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.base import BatchFormat, BatchProvider, FormatOf
from nightmail.providers.direct import DirectProvider
from nightmail.providers.openai.servers import SERVERS


@dataclass(frozen=True)
class _Native:
    """A native lane: planning needs its format alone, and no key."""

    format: FormatOf
    provider: Callable[[Deployment, str | None], BatchProvider]


def _openai_format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.openai.batch_format import OpenAIFormat

    return OpenAIFormat(deployment)


def _openai(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.openai.provider import open_openai

    return open_openai(deployment, key)


def _anthropic_format(deployment: Deployment) -> BatchFormat:
    from nightmail.providers.anthropic.batch_format import AnthropicFormat

    return AnthropicFormat(deployment)


def _anthropic(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.anthropic.batches import open_anthropic

    return open_anthropic(deployment, key)


def _direct_anthropic(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.anthropic.provider import AnthropicProvider

    return AnthropicProvider(deployment, key)


def _direct_cohere(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.cohere.provider import CohereProvider

    return CohereProvider(deployment, key)


def _direct_openai(deployment: Deployment, key: str | None) -> DirectProvider:
    from nightmail.providers.openai.direct import OpenAIDirect

    return OpenAIDirect(deployment, key)


_NATIVE: Mapping[str, _Native] = {
    "anthropic": _Native(_anthropic_format, _anthropic),
    "openai": _Native(_openai_format, _openai),
}
_DIRECT: Mapping[str, Callable[[Deployment, str | None], DirectProvider]] = {
    "anthropic": _direct_anthropic,
    "cohere": _direct_cohere,
    "cohere_chat": _direct_cohere,
    **dict.fromkeys(SERVERS, _direct_openai),
}


def has_native_lane(provider: str) -> bool:
    return provider in _NATIVE


def has_direct_lane(provider: str) -> bool:
    return provider in _DIRECT


def direct_endpoints(provider: str) -> frozenset[str]:
    """Those that its direct lane has, as OpenAI writes them; none where it has no such lane."""
    if provider == "anthropic":
        from nightmail.providers.anthropic.provider import AnthropicProvider

        return AnthropicProvider.endpoints
    if has_direct_lane(provider) and provider not in SERVERS:
        from nightmail.providers.cohere.provider import CohereProvider

        return CohereProvider.endpoints
    return frozenset(SERVERS[provider].endpoints) if provider in SERVERS else frozenset()


def open_format(deployment: Deployment) -> BatchFormat:
    """What the native lane of `deployment` takes. Raises InvalidRequest where its provider has none."""
    return _native_of(deployment).format(deployment)


def open_provider(deployment: Deployment, key: str | None) -> BatchProvider:
    """The native lane of `deployment`, whose api_base is no reference any more.

    Raises InvalidRequest where its provider has none.
    """
    return _native_of(deployment).provider(deployment, key)


def open_direct(deployment: Deployment, key: str | None) -> DirectProvider:
    """The direct lane of `deployment`, whose api_base is no reference any more.

    Raises InvalidRequest where its provider has none.
    """
    opened = _DIRECT.get(deployment.provider)
    if opened is None:
        raise _no_lane(deployment, "ordinary calls")
    return opened(deployment, key)


def _native_of(deployment: Deployment) -> _Native:
    native = _NATIVE.get(deployment.provider)
    if native is None:
        raise _no_lane(deployment, "a native batch API")
    return native


def _no_lane(deployment: Deployment, lane: str) -> InvalidRequest:
    return InvalidRequest(
        f"The model '{deployment.name}' cannot be used here: "
        f"this gateway has no {lane} for {deployment.provider}.",
        param="model",
        code="unsupported_provider",
    )
