"""Which server a call is for: the gateway, or a provider's own files and batches."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from nightmail.deployment import Deployment
from nightmail.library.access import base_in_environment, key_for
from nightmail.library.credentials import Credentials
from nightmail.library.exceptions import AuthenticationError, BadRequestError
from nightmail.library.failures import bad_request, failures_of
from nightmail.library.options import API_KEY, Options, through_a_gateway
from nightmail.library.process import process
from nightmail.library.server import Server
from nightmail.library.transport import RETRIES, SECONDS, Transport
from nightmail.provider_names import SERVED
from nightmail.providers.registry import card_of, open_format

GATEWAY = "nightmail"
DEFAULT = "openai"
_ANTHROPIC = "anthropic"
_MEBI = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of a file in one request, and of the parts of one that is bigger; 0 where it has no parts."""

    file: int
    part: int = 0


# A file of one request, where it is not what a batch of the provider takes: OpenAI's API reference
# (files, uploads).
_OPENAI = Limits(512 * _MEBI, 64 * _MEBI)
_OWN: Mapping[str, Limits | None] = {
    "openai": _OPENAI,
    "custom_openai": _OPENAI,
    "groq": None,
    "hosted_vllm": _OPENAI,
    "litellm_proxy": _OPENAI,
    "openai_like": _OPENAI,
}
_GATEWAY = Limits(4 * _MEBI)


@dataclass(frozen=True)
class Home:
    """Where files and batches are kept. A gateway's are in the order of the input, parts go past it."""

    server: Server
    limits: Limits
    is_gateway: bool


def gateway_of(options: Options, base: str) -> Server:
    """Raises AuthenticationError where nobody gave a key for it."""
    key = options.api_key or os.environ.get(API_KEY)
    if not key:
        raise AuthenticationError(
            f"There is no key for the gateway: set {API_KEY} in the environment, or give api_key. "
            "Keys of providers are never sent to a gateway.",
            status_code=HTTPStatus.UNAUTHORIZED,
            llm_provider=GATEWAY,
        )
    return _server(options, base, Credentials(key, options.headers), GATEWAY)


def anthropic_server(options: Options) -> Server:
    """Anthropic's own API."""
    from nightmail.providers.anthropic.provider import (  # noqa: PLC0415 - the others need it not
        api_of,
        headers_of,
    )

    base = options.api_base or base_in_environment(_ANTHROPIC)
    with failures_of(None):
        key = key_for(_ANTHROPIC, options)
    url = api_of(Deployment(name="", provider=_ANTHROPIC, model="", api_base=base))
    credentials = Credentials(None, {**headers_of(key), **options.headers})
    return _server(options, url, credentials, _ANTHROPIC)


def home_of(options: Options) -> Home:
    """Raises BadRequestError where the provider has no files and batches like OpenAI's."""
    if options.gateway:
        return Home(gateway_of(options, options.gateway), _GATEWAY, is_gateway=True)
    provider = options.custom_llm_provider or DEFAULT
    if provider not in _OWN:
        raise _homeless(provider)
    base = options.api_base or base_in_environment(provider) or _known_base(provider)
    if not base:
        raise bad_request(f"{provider} has no address of its own: give api_base.", "api_base")
    with failures_of(None):
        credentials = Credentials(key_for(provider, options), options.headers)
        limits = _OWN[provider] or _limits_of_batches(provider)
    return Home(_server(options, base, credentials, provider), limits, is_gateway=False)


def _limits_of_batches(provider: str) -> Limits:
    deployment = Deployment(name=provider, provider=provider, model="")
    return Limits(open_format(deployment).limits.bytes)


def _homeless(provider: str) -> BadRequestError:
    if provider == _ANTHROPIC:
        found = "keeps no files for batches: batch_completion_create sends the requests themselves"
    elif provider in SERVED:
        own = ", ".join(sorted(_OWN))
        found = (
            f"has no files and batches without a gateway; {own} have them, and {_ANTHROPIC} has "
            "batches"
        )
    else:
        found = "is no provider that is known here: custom_llm_provider names the model's"
    return bad_request(
        f"{provider} {found}. {through_a_gateway('every provider has files and batches')}",
        "custom_llm_provider",
    )


def _known_base(provider: str) -> str | None:
    card = card_of(provider)
    return card.bases.get(provider) if card else None


def _server(options: Options, base: str, credentials: Credentials, name: str) -> Server:
    retries = RETRIES if options.max_retries is None else options.max_retries
    seconds = options.timeout or SECONDS
    transport = Transport(process().session, base, credentials, name)
    return Server(transport, retries=retries, seconds=seconds)
