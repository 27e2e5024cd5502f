"""Keys of an entry that its provider does not read, or misses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from nightmail.config.document import LitellmParams, ModelEntry
from nightmail.config.entry import base_of, lane_of
from nightmail.config.model_names import STAR
from nightmail.config.references import is_reference
from nightmail.provider_names import SERVED, split_model

_BEDROCK = "bedrock"
_FIREWORKS = frozenset({"fireworks", "fireworks_ai"})
# Keys that one provider alone reads.
_READERS: Mapping[str, str] = MappingProxyType(
    {
        "api_version": "azure",
        "aws_access_key_id": _BEDROCK,
        "aws_region_name": _BEDROCK,
        "aws_secret_access_key": _BEDROCK,
        "aws_session_token": _BEDROCK,
        "max_batch_jobs": _BEDROCK,
    }
)
_WITHOUT_ORGANIZATIONS = frozenset(
    {"anthropic", "azure", _BEDROCK, "cohere", "cohere_chat", "gemini"}
)
_WITHOUT_BATCHES = frozenset({"cohere", "cohere_chat"})
# Servers of the operator's own that have no usual address.
_WITHOUT_BASE = frozenset({"custom_openai", "hosted_vllm", "openai_like", "vllm"})
_REGION = re.compile(r"(?:converse/)?([a-z]{2}(?:-[a-z]+)+-\d)/")
_OWN_ACCOUNT = re.compile(r"accounts/(?!fireworks/)[^/]+/")


def half_credentials(params: LitellmParams) -> list[str]:
    """The names of AWS credentials that are missing beside those that are given."""
    given = params.secrets.keys() - {"api_key"}
    wanted = ("aws_access_key_id", "aws_secret_access_key")
    return [name for name in wanted if given and name not in given]


def warnings_of_entry(entry: ModelEntry) -> Iterator[tuple[str, str]]:
    """Names of `litellm_params`, and why each is named."""
    params = entry.litellm_params
    provider, model = split_model(params.model, params.custom_llm_provider) or ("", "")
    if provider in SERVED:
        yield from _unread(params, provider)
        yield from _misplaced(params, provider, model)
        if lane_of(entry) == "native":
            yield from _without_batches(params, provider, model)
    elif provider.strip(STAR):
        known = ", ".join(sorted(SERVED))
        lacks = (
            f"'{provider}' is no provider of this gateway, so '{entry.model_name}' cannot be used."
        )
        yield "model", f"{lacks} There are {known}."


def _unread(params: LitellmParams, provider: str) -> Iterator[tuple[str, str]]:
    for name, reader in _READERS.items():
        if getattr(params, name) is not None and provider != reader:
            yield name, f"only {reader} has this, and not {provider}; it is ignored."
    if params.organization and provider in _WITHOUT_ORGANIZATIONS:
        yield "organization", f"{provider} has none; it is ignored."


def _misplaced(params: LitellmParams, provider: str, model: str) -> Iterator[tuple[str, str]]:
    if provider in _WITHOUT_BASE and not base_of(params, provider):
        yield (
            "api_base",
            f"{provider} is a server of your own: say where, such as http://host:8000/v1.",
        )
    named, region = _REGION.match(model), params.aws_region_name
    is_other = named and region and not is_reference(region) and region != named[1]
    if named and provider == _BEDROCK and is_other:
        yield "aws_region_name", f"{region} is called, not the {named[1]} of the model's name."


def _without_batches(params: LitellmParams, provider: str, model: str) -> Iterator[tuple[str, str]]:
    """`batch: native` where nobody could start a batch."""
    advice = "With batch: native no batch can use it; batch: auto has its lines called one by one."
    base = base_of(params, provider)
    is_elsewhere = base and not is_reference(base)
    if provider in _WITHOUT_BATCHES:
        yield "batch", f"{provider} has no batch API here. {advice}"
    if provider == _BEDROCK and (params.secrets or is_elsewhere):
        yield "batch", f"bedrock's jobs are started at AWS by the stack's role alone. {advice}"
    is_nobodys = STAR not in model and not (params.organization or _OWN_ACCOUNT.match(model))
    if provider in _FIREWORKS and is_nobodys:
        yield "batch", f"{provider}'s jobs need an account: give it as organization. {advice}"
