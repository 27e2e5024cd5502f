"""An entry of `model_list` as a deployment."""

from __future__ import annotations

from math import ceil
from typing import TypeVar

from nightmail.config.document import ConfigDocument, LitellmParams, ModelEntry
from nightmail.config.model_names import fill_stars
from nightmail.config.references import is_reference, reference_to, written_key
from nightmail.deployment import Deployment, Lane
from nightmail.provider_names import BASE_NAMES, KEY_NAMES, split_model

_Value = TypeVar("_Value")


def to_deployment(
    name: str, entry: ModelEntry, stars: tuple[str, ...], document: ConfigDocument
) -> Deployment | None:
    """Who answers to `name` by this entry, whose `*` stand for `stars`; what it leaves open is said by
    the settings of the document. None where the name leads to no provider.
    """
    params = entry.litellm_params
    split = split_model(fill_stars(params.model, stars), params.custom_llm_provider)
    if split is None:
        return None
    provider, model = split
    return Deployment(
        name=name,
        provider=provider,
        model=model,
        api_base=base_of(params, provider),
        api_key=key_of(entry, provider),
        organization=params.organization,
        api_version=params.api_version,
        aws_region_name=params.aws_region_name,
        **aws_keys_of(entry),
        timeout_seconds=_whole(_timeout(params, document)),
        stream_timeout_seconds=_whole(params.stream_timeout),
        num_retries=_retries(params, document),
        max_parallel_requests=params.max_parallel_requests,
        max_batch_jobs=params.max_batch_jobs,
        rpm=params.rpm,
        tpm=params.tpm,
        weight=params.weight,
        prices=entry.model_info.prices | params.prices,
        base_model=_base_model(entry, stars),
        lane=lane_of(entry),
        batch_enabled=_is_batch_enabled(entry),
        drop_params=_first(params.drop_params, document.litellm_settings.drop_params) or False,
        defaults=params.request_parameters,
    )


def base_of(params: LitellmParams, provider: str) -> str | None:
    """The entry's own, or that of a provider which has none of its own but a name for it."""
    own = params.api_base or params.base_url or params.aws_bedrock_runtime_endpoint
    return own or (reference_to(BASE_NAMES[provider]) if provider in BASE_NAMES else None)


def key_of(entry: ModelEntry, provider: str) -> str | None:
    """A reference to the entry's key, never the key."""
    params = entry.litellm_params
    if "api_key" in params.secrets:
        return _reference(entry, params.secrets["api_key"])
    return _own_key(provider, base_of(params, provider))


def aws_keys_of(entry: ModelEntry) -> dict[str, str]:
    """References to the entry's AWS credentials, by their names."""
    secrets = entry.litellm_params.secrets.items()
    return {name: _reference(entry, key) for name, key in secrets if name != "api_key"}


def _reference(entry: ModelEntry, key: str) -> str:
    return key if is_reference(key) else written_key(entry.model_name, key)


def _own_key(provider: str, base: str | None) -> str | None:
    """A provider's own key must not go to a server that only speaks like it."""
    is_at_home = not base or provider in BASE_NAMES
    return reference_to(KEY_NAMES[provider]) if provider in KEY_NAMES and is_at_home else None


def _base_model(entry: ModelEntry, stars: tuple[str, ...]) -> str | None:
    base_model = _first(entry.litellm_params.base_model, entry.model_info.base_model)
    return fill_stars(base_model, stars) if base_model else None


def _timeout(params: LitellmParams, document: ConfigDocument) -> float | None:
    return _first(
        params.timeout,
        params.request_timeout,
        document.router_settings.timeout,
        document.litellm_settings.request_timeout,
    )


def _retries(params: LitellmParams, document: ConfigDocument) -> int | None:
    return _first(
        params.num_retries,
        params.max_retries,
        document.router_settings.num_retries,
        document.litellm_settings.num_retries,
    )


def lane_of(entry: ModelEntry) -> Lane:
    """The lane of its batches, as any of three places says it."""
    return _first(entry.litellm_params.batch, entry.batch, entry.model_info.batch) or "auto"


def _is_batch_enabled(entry: ModelEntry) -> bool:
    choices = (entry.litellm_params, entry, entry.model_info)
    return _first(*(choice.batch_enabled for choice in choices)) or False


def _first(*values: _Value | None) -> _Value | None:
    """The first that is given."""
    return next((value for value in values if value is not None), None)


def _whole(seconds: float | None) -> int | None:
    """The table keeps whole numbers."""
    return ceil(seconds) if seconds else None
