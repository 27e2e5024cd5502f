"""Which providers have which lane here, and how one is made.

A provider is what its folder's card says; the card is looked for when somebody asks for that provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.provider_names import SERVED
from nightmail.providers.base import BatchFormat, BatchProvider
from nightmail.providers.card import Card
from nightmail.providers.direct import DirectProvider
from nightmail.providers.objects import Objects

_PACKAGE = "nightmail.providers"
# Who is in a folder of another name.
_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "cohere_chat": "cohere",
        "custom_openai": "compatible",
        "deepseek": "compatible",
        "fireworks_ai": "fireworks",
        "hosted_vllm": "compatible",
        "lm_studio": "compatible",
        "ollama": "compatible",
        "ollama_chat": "compatible",
        "openai_like": "compatible",
        "perplexity": "compatible",
        "together_ai": "together",
        "vllm": "compatible",
    }
)


def folder_of(provider: str) -> str:
    """The name of the folder that its card is in."""
    return _FOLDERS.get(provider, provider)


@cache
def card_of(provider: str) -> Card | None:
    """None where this gateway has no such provider."""
    if provider not in SERVED:
        return None
    folder = f"{_PACKAGE}.{folder_of(provider)}"
    try:
        card: Card = import_module(f"{folder}.card").CARD
    except ModuleNotFoundError as error:
        if error.name not in {folder, f"{folder}.card"}:
            raise
        return None
    return card if provider in card.names else None


def has_native_lane(deployment: Deployment) -> bool:
    card = card_of(deployment.provider)
    return card is not None and card.format is not None and card.has_batches(deployment)


def why_unserved(deployment: Deployment) -> str:
    """Why a deployment has no lane that is wanted of it, and what to do: it has no batches, and may not be
    called instead.
    """
    provider, card = deployment.provider, card_of(deployment.provider)
    if card is None:
        return f"{provider} is no provider of this gateway"
    has_format = card.format is not None
    lacks = f"'s batches need {card.batches_need}" if has_format else " has no batch API here"
    return f"{provider}{lacks}; with batch: auto in the config its lines are called one by one"


def can_cancel(deployment: Deployment) -> bool:
    """Whether its provider stops a batch that it was asked to stop."""
    card = card_of(deployment.provider)
    return card is None or card.can_cancel


def has_direct_lane(provider: str) -> bool:
    return card_of(provider) is not None


def direct_endpoints(provider: str) -> frozenset[str]:
    """Those that its direct lane has, as OpenAI writes them; none where it has no such lane."""
    card = card_of(provider)
    return card.direct_endpoints(provider) if card else frozenset()


def open_format(deployment: Deployment) -> BatchFormat:
    """What the native lane of `deployment` takes. Raises InvalidRequest where its provider has none."""
    card = card_of(deployment.provider)
    if not (card and card.format and card.has_batches(deployment)):
        raise _no_lane(deployment, "native batch API")
    return card.format(deployment)


def open_provider(
    deployment: Deployment, key: str | None, objects: Objects | None = None
) -> BatchProvider:
    """The native lane of `deployment`, whose api_base is no reference any more.

    `objects` are for a provider that reads from a bucket. Raises InvalidRequest where there is no such
    lane here.
    """
    card = card_of(deployment.provider)
    if card and card.has_batches(deployment):
        if card.open_batches:
            return card.open_batches(deployment, key)
        if card.open_shared and objects:
            return card.open_shared(deployment, objects)
    raise _no_lane(deployment, "native batch API")


def open_direct(deployment: Deployment, key: str | None) -> DirectProvider:
    """The direct lane of `deployment`, whose api_base is no reference any more.

    Raises InvalidRequest where its provider has none.
    """
    card = card_of(deployment.provider)
    if card is None:
        raise _no_lane(deployment, "ordinary calls")
    return card.open_direct(deployment, key)


def _no_lane(deployment: Deployment, lane: str) -> InvalidRequest:
    return InvalidRequest(
        f"The model '{deployment.name}' cannot be used: Nightmail has no {lane} for "
        f"{deployment.provider}.",
        param="model",
        code="unsupported_provider",
    )
