"""Whose batches a call is about: the gateway's, or those of a provider."""

from __future__ import annotations

from dataclasses import replace

from nightmail.library.batch_api import BatchApi
from nightmail.library.failures import bad_request
from nightmail.library.gateway_batches import GatewayBatches
from nightmail.library.mixture import provider_in
from nightmail.library.openai_batches import OpenAIBatches
from nightmail.library.options import Options, through_a_gateway
from nightmail.library.servers import DEFAULT, anthropic_server, home_of
from nightmail.library.sources import Source
from nightmail.library.spending import Seller

_ANTHROPIC = "anthropic"
_ANTHROPICS_ID = "msgbatch_"


def batch_api_of(options: Options, batch_id: str = "") -> BatchApi:
    """Raises BadRequestError where the provider has no batches that are known here."""
    if options.gateway:
        return gateway_batches_of(options, "")
    is_anthropics = options.custom_llm_provider is None and batch_id.startswith(_ANTHROPICS_ID)
    if is_anthropics or options.custom_llm_provider == _ANTHROPIC:
        return _anthropic_batches(options)
    home = home_of(options)
    return OpenAIBatches(home, Seller(home.server.name, options.api_base))


def _anthropic_batches(options: Options) -> BatchApi:
    from nightmail.library.anthropic_batches import (  # noqa: PLC0415 - the others need it not
        AnthropicBatches,
    )

    return AnthropicBatches(anthropic_server(options), Seller(_ANTHROPIC, options.api_base))


def batch_api_for(options: Options, source: Source) -> BatchApi:
    """For the requests in `source`, whose models tell the provider if the call itself does not."""
    if options.gateway or options.custom_llm_provider:
        return batch_api_of(options)
    return batch_api_of(replace(options, custom_llm_provider=provider_in(source, DEFAULT)))


def gateway_batches_of(options: Options, what: str) -> GatewayBatches:
    """Raises BadRequestError where the call goes through no gateway; `what` says what only one does."""
    if not options.gateway:
        raise bad_request(
            f"Providers have no {what}. {through_a_gateway('it is there')}", "base_url"
        )
    return GatewayBatches(home_of(options))
