"""Without a gateway: who answers to a model's name, by what the call says and the environment holds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from pydantic import ValidationError

from nightmail.deployment import Deployment
from nightmail.errors import CredentialMissing, InvalidRequest, NotFound
from nightmail.library.credentials import Credentials, KeyRing
from nightmail.library.options import (
    AWS,
    AWS_ENDPOINT,
    AWS_REGION,
    BASE_URL,
    BOOKKEEPING,
    Entry,
    Options,
)
from nightmail.provider_names import KEY_NAMES, split_model

_BEDROCK = "bedrock"
_LONGEST_SHOWN = 256
# LiteLLM's names for what a deployment has under another one.
_DEPLOYMENT_FIELDS = {
    "timeout": "timeout_seconds",
    "request_timeout": "timeout_seconds",
    "stream_timeout": "stream_timeout_seconds",
    "num_retries": "num_retries",
    "max_retries": "num_retries",
    "max_parallel_requests": "max_parallel_requests",
    "rpm": "rpm",
    "tpm": "tpm",
    "organization": "organization",
    "api_version": "api_version",
    "drop_params": "drop_params",
}


class KeyMissing(CredentialMissing):
    """Nobody gave a key for a `provider`."""

    def __init__(self, message: str, provider: str) -> None:
        super().__init__(message)
        self.provider = provider


class Access:
    """The models of one call.

    What the call itself says (`api_key`, `api_base`, headers) belongs to the provider of the models that
    it asks for. Fallbacks of other providers have only what the environment holds for them, and
    `entries` only what they say themselves: a key never goes to another's server. What begins with `aws`
    is for the models of Bedrock, fallbacks too.
    """

    def __init__(
        self,
        keys: KeyRing,
        options: Options,
        asked: Sequence[str],
        entries: Mapping[str, Entry] | None = None,
    ) -> None:
        self._keys = keys
        self._options = options
        self._asked = frozenset(asked)
        self._entries = entries or {}
        self._owner = self._owner_of(asked)

    def deployments(self, name: str) -> list[Deployment]:
        """Raises NotFound, KeyMissing, or InvalidRequest."""
        if name in self._entries:
            return [self._listed(self._entries[name])]
        options = self._options
        provider, model = _split(name, options.custom_llm_provider if name in self._asked else None)
        if provider != self._owner:
            options = Options(aws=options.aws)
        return [self._deployment(options, name=name, provider=provider, model=model)]

    def fallbacks(self, name: str) -> list[str]:  # noqa: ARG002 - what Models has
        """A process has no config; a call names its own."""
        return []

    def _owner_of(self, asked: Sequence[str]) -> str | None:
        """The provider that the call's key and base belong to. Raises InvalidRequest where there are several."""
        options = self._options
        known = [
            split_model(name, options.custom_llm_provider)
            for name in asked
            if name not in self._entries
        ]
        providers = {split[0] for split in known if split}
        if len(providers) > 1 and (options.api_key or options.api_base or options.headers):
            raise InvalidRequest(
                "api_key, api_base and headers belong to one provider, and the models are of "
                f"{', '.join(sorted(providers))}. Give each its own in deployments=[{{'model': ..., "
                "'api_key': ...}}], or set the keys in the environment.",
                param="api_key",
            )
        return providers.pop() if len(providers) == 1 else None

    def _listed(self, entry: Entry) -> Deployment:
        params = {name: value for name, value in entry.items() if name not in BOOKKEEPING}
        fields = {
            field: _whole(params.pop(name))
            for name, field in _DEPLOYMENT_FIELDS.items()
            if name in params
        }
        options = Options(
            api_key=params.pop("api_key", None),
            api_base=params.pop("api_base", None) or params.pop("base_url", None),
            headers={**params.pop("headers", {}), **params.pop("extra_headers", {})},
            aws={each: value for each in AWS if (value := params.pop(each, None)) is not None},
        )
        name = params.pop("model")
        provider, model = _split(name, params.pop("custom_llm_provider", None))
        return self._deployment(
            options, name=name, provider=provider, model=model, defaults=params, **fields
        )

    def _deployment(self, options: Options, *, provider: str, **fields: Any) -> Deployment:
        aws = _texts(options.aws) if provider == _BEDROCK else {}
        region, endpoint = aws.pop(AWS_REGION, None), aws.pop(AWS_ENDPOINT, None)
        options = replace(options, api_base=options.api_base or endpoint)
        key = options.api_key if aws else key_for(provider, options)
        credentials = Credentials(key, options.headers, aws)
        given = {
            "provider": provider,
            "api_base": options.api_base or base_in_environment(provider),
            "aws_region_name": region,
            "api_key": self._keys.keep(credentials),
            "organization": options.organization,
            "api_version": options.api_version or version_in_environment(provider),
            **fields,
        }
        try:
            return Deployment.model_validate(given)
        except ValidationError as error:
            wrong = ", ".join(str(problem["loc"][0]) for problem in error.errors())
            raise InvalidRequest(f"A deployment has something wrong: {wrong}.") from error


def _texts(aws: Mapping[str, Any]) -> dict[str, str]:
    """Raises InvalidRequest for what is none."""
    for name, value in aws.items():
        if not isinstance(value, str):
            raise InvalidRequest(f"Invalid type for '{name}': expected a text.", param=name)
    return dict(aws)


def _whole(value: Any) -> Any:
    """A deployment's time-outs are whole seconds."""
    return ceil(value) if isinstance(value, float) else value


def listed(entries: Sequence[Entry], group: str | None = None) -> dict[str, Entry]:
    """Deployments that a call lists itself, by names that differ; of a `model_list`, those of a `group`.

    An entry is `{"model": ..., "api_key": ...}`, or has that as its `litellm_params`. Raises InvalidRequest.
    """
    named: dict[str, Entry] = {}
    for index, entry in enumerate(entries):
        params = entry.get("litellm_params", entry) if isinstance(entry, Mapping) else {}
        model = params.get("model")
        if not isinstance(model, str):
            path = f"deployments[{index}].model"
            raise InvalidRequest(f"'{path}' is missing: who is to be asked?", param=path)
        if group is None or entry.get("model_name", model) == group:
            named[f"{model}#{index}" if model in named else model] = params
    if not named:
        raise NotFound(
            f"No deployment in the list answers to '{group}'.",
            param="model",
            code="model_not_found",
        )
    return named


def key_for(provider: str, options: Options) -> str | None:
    """The call's key, else that of the environment, which never goes to an api_base of the call.

    Raises KeyMissing where the provider's own servers would be asked without one.
    """
    if options.api_key or options.api_base:
        return options.api_key
    name = KEY_NAMES.get(provider, f"{_stem(provider)}_API_KEY")
    key = os.environ.get(name)
    if not key and provider in KEY_NAMES and not base_in_environment(provider):
        raise KeyMissing(
            f"There is no key for {provider}: set {name} in the environment, or give api_key. "
            f"Through a gateway ({BASE_URL}) the gateway's keys are used.",
            provider,
        )
    return key


def base_in_environment(provider: str) -> str | None:
    """Another address for a provider: OPENAI_API_BASE or OPENAI_BASE_URL, and so for all."""
    names = (f"{_stem(provider)}_API_BASE", f"{_stem(provider)}_BASE_URL")
    return next(filter(None, map(os.environ.get, names)), None)


def version_in_environment(provider: str) -> str | None:
    """Which version of a provider's API is spoken: AZURE_API_VERSION."""
    return os.environ.get(f"{_stem(provider)}_API_VERSION")


def _split(name: str, provider: str | None) -> tuple[str, str]:
    split = split_model(name, provider)
    if split is None:
        raise NotFound(
            f"The model '{name[:_LONGEST_SHOWN]}' names no provider. Write it as provider/model, such "
            "as openai/gpt-4o, or give custom_llm_provider.",
            param="model",
            code="model_not_found",
        )
    return split


def _stem(provider: str) -> str:
    """How the names of a provider's variables begin."""
    return KEY_NAMES.get(provider, provider.upper()).removesuffix("_API_KEY")


def named_fallbacks(fallbacks: Any) -> tuple[Any, dict[str, Entry]]:
    """LiteLLM's fallbacks, of which one may be a deployment of its own, as names and what they stand for."""
    if not isinstance(fallbacks, list):
        return fallbacks, {}
    entries = {
        f"{entry['model']}#fallback-{index}": entry
        for index, entry in enumerate(fallbacks)
        if isinstance(entry, Mapping) and isinstance(entry.get("model"), str)
    }
    own = iter(entries)
    names = [
        next(own) if isinstance(entry, Mapping) and isinstance(entry.get("model"), str) else entry
        for entry in fallbacks
    ]
    return names, entries
