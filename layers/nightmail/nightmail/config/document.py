"""The shape of `config.yaml`, as LiteLLM's users have it.

A declared field is a key that something acts on; whatever else is given is kept aside by pydantic,
and `unknown_keys` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nightmail.config.values import (
    Fallbacks,
    Limit,
    Name,
    OnDeadline,
    Plain,
    Price,
    Retries,
    Seconds,
    Secret,
    Url,
    Weight,
    Word,
)
from nightmail.deployment import Lane
from nightmail.errors import InvalidConfig
from nightmail.prices.own import PRICE_KEYS

# Of OpenAI's requests for chat and for embeddings (API reference, request bodies), without what only
# a caller can know: the prompt, and whether it is to be streamed. `top_k` is most others'.
REQUEST_PARAMETERS = frozenset(
    {"dimensions", "encoding_format", "frequency_penalty", "function_call", "functions"}
    | {"logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities"}
    | {"n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key"}
    | {"prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format"}
    | {"safety_identifier", "seed", "service_tier", "stop", "store", "temperature", "tool_choice"}
    | {"tools", "top_k", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"}
)

SECRETS = ("api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def _none_as_empty(value: Any) -> Any:
    """YAML reads `router_settings:` with nothing behind it as null."""
    return {} if value is None else value


def _name_as_target(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class _Section(BaseModel):
    known_extras: ClassVar[frozenset[str]] = frozenset()
    """Keys that are acted on though they are no fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class BatchChoice(_Section):
    """How a deployment's work in bulk goes: `batch` is its lane, and with `batch_enabled` many prompts
    in one request become a batch too.
    """

    batch: Lane | None = None
    batch_enabled: bool | None = None


class ModelInfo(BatchChoice):
    """What a deployment's tokens cost, in US dollars for one, by LiteLLM's names; `base_model` is whose
    published prices hold where there are none.
    """

    base_model: Name | None = None
    input_cost_per_token: Price | None = None
    output_cost_per_token: Price | None = None
    cache_read_input_token_cost: Price | None = None
    cache_creation_input_token_cost: Price | None = None
    cache_creation_input_token_cost_above_1hr: Price | None = None
    output_cost_per_reasoning_token: Price | None = None
    input_cost_per_token_batches: Price | None = None
    output_cost_per_token_batches: Price | None = None
    cache_read_input_token_cost_batches: Price | None = None
    cache_creation_input_token_cost_batches: Price | None = None

    @property
    def prices(self) -> dict[str, Decimal]:
        found = {key: getattr(self, key) for key in PRICE_KEYS}
        return {key: price for key, price in found.items() if price is not None}


class LitellmParams(ModelInfo):
    """Who answers, within which limits and at which price. What is a parameter of a request is every request's own
    where it does not give it.

    `timeout` and `request_timeout` are two names of one thing, as are the three bases, and the two
    numbers of retries.
    """

    known_extras = REQUEST_PARAMETERS

    model: Name
    custom_llm_provider: Name | None = None
    api_key: Secret | None = None
    api_base: Url | None = None
    base_url: Url | None = None
    organization: Word | None = None
    api_version: Word | None = None
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    aws_session_token: Secret | None = None
    aws_region_name: Word | None = None
    aws_bedrock_runtime_endpoint: Url | None = None
    timeout: Seconds | None = None
    request_timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    num_retries: Retries | None = None
    max_retries: Retries | None = None
    rpm: Limit | None = None
    tpm: Limit | None = None
    weight: Weight | None = None
    max_parallel_requests: Limit | None = None
    max_batch_jobs: Limit | None = None
    drop_params: bool | None = None

    @property
    def secrets(self) -> dict[str, str]:
        """The keys that are given, or references to them, by their names here."""
        found = {name: getattr(self, name) for name in SECRETS}
        return {name: secret.get_secret_value() for name, secret in found.items() if secret}

    @property
    def request_parameters(self) -> dict[str, Any]:
        extras = self.model_extra or {}
        return {name: value for name, value in extras.items() if name in REQUEST_PARAMETERS}


class ModelEntry(BatchChoice):
    """One entry of `model_list`; `model_name` may hold `*`.

    What a `BatchChoice` says is read here, in `litellm_params`, which goes first, and in `model_info`;
    so are prices in the latter two.
    """

    model_name: Name
    litellm_params: LitellmParams
    model_info: Annotated[ModelInfo, BeforeValidator(_none_as_empty)] = Field(
        default_factory=ModelInfo
    )


class AliasTarget(_Section):
    """What an alias stands for; a hidden one works, and is not listed."""

    model: Name
    hidden: bool = False


class RouterSettings(_Section):
    model_group_alias: Annotated[
        dict[Name, Annotated[AliasTarget, BeforeValidator(_name_as_target)]],
        BeforeValidator(_none_as_empty),
    ] = Field(default_factory=dict)
    timeout: Seconds | None = None
    num_retries: Retries | None = None
    fallbacks: Fallbacks = Field(default_factory=list)


class LitellmSettings(_Section):
    request_timeout: Seconds | None = None
    num_retries: Retries | None = None
    drop_params: bool | None = None
    fallbacks: Fallbacks = Field(default_factory=list)


class GeneralSettings(_Section):
    master_key: Secret | None = None


class NightmailSettings(_Section):
    """What LiteLLM has no words for; a create may say otherwise.

    With `strict` a file is of one model and endpoint, as at OpenAI. `on_deadline` is what becomes of the
    lines that a provider's batch API still owes near the end.
    """

    strict: bool = False
    on_deadline: OnDeadline = "expire"


class ConfigDocument(_Section):
    """The whole file."""

    model_list: Annotated[
        list[ModelEntry], BeforeValidator(lambda value: [] if value is None else value)
    ] = Field(default_factory=list)
    litellm_settings: Annotated[LitellmSettings, BeforeValidator(_none_as_empty)] = Field(
        default_factory=LitellmSettings
    )
    router_settings: Annotated[RouterSettings, BeforeValidator(_none_as_empty)] = Field(
        default_factory=RouterSettings
    )
    general_settings: Annotated[GeneralSettings, BeforeValidator(_none_as_empty)] = Field(
        default_factory=GeneralSettings
    )
    nightmail_settings: Annotated[NightmailSettings, BeforeValidator(_none_as_empty)] = Field(
        default_factory=NightmailSettings
    )
    environment_variables: Annotated[dict[str, Plain], BeforeValidator(_none_as_empty)] = Field(
        default_factory=dict, repr=False
    )


def read_document(values: dict[str, Any]) -> ConfigDocument:
    """Raises InvalidConfig with one line for each wrong key: its path, and what is wrong."""
    try:
        return ConfigDocument.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    raise InvalidConfig("\n".join(f"{_path(p['loc'])}: {_reason(p)}" for p in problems))


def _path(location: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in location]
    return "".join(steps).removeprefix(".")


def _reason(problem: Any) -> str:
    """Our own sentence where a check of ours spoke, else pydantic's."""
    reason = str(problem.get("ctx", {}).get("error") or problem["msg"])
    return reason[:1].lower() + reason[1:]


def unknown_keys(section: _Section, path: str = "") -> Iterator[str]:
    """The paths of all keys that nothing acts on."""
    for name in section.model_extra or {}:
        if name not in section.known_extras:
            yield f"{path}{name}"
    for name in type(section).model_fields:
        yield from _unknown_in(getattr(section, name), f"{path}{name}")


def _unknown_in(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Section):
        yield from unknown_keys(value, f"{path}.")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _unknown_in(entry, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _unknown_in(entry, f"{path}.{name}")
