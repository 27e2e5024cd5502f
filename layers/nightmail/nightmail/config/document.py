"""The shape of `config.yaml`, as LiteLLM's users have it.

A declared field is a key that something acts on; whatever else is given is kept aside by pydantic,
and `unknown_keys` names it. Strict types, so that nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from nightmail.config.references import fits_a_header, is_reference, name_of
from nightmail.deployment import Lane
from nightmail.errors import InvalidConfig

MOST_RETRIES = 100
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


def _check_reference(value: str) -> str:
    if is_reference(value):
        name_of(value)
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    text = _check_reference(value.get_secret_value())
    if not fits_a_header(text):
        raise ValueError("a key cannot hold line breaks, spaces around it, or anything but ASCII")
    return value


def _check_url(value: str) -> str:
    if is_reference(value):
        return value
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("this has to be a URL such as https://host/v1")
    if url.username or url.password or url.query:
        raise ValueError("a URL must not carry a password or a query; keys belong to api_key")
    return value


def _check_plain(value: str) -> str:
    if is_reference(value):
        raise ValueError("this cannot be a reference; write the value itself")
    return value


def _none_as_empty(value: Any) -> Any:
    """YAML reads `router_settings:` with nothing behind it as null."""
    return {} if value is None else value


def _name_as_target(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class _Section(BaseModel):
    known_extras: ClassVar[frozenset[str]] = frozenset()
    """Keys that are acted on though they are no fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_check_plain)]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_reference)]
Url = Annotated[str, Field(min_length=1), AfterValidator(_check_url)]
Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_check_secret)]
Plain = Annotated[
    str, Field(strict=False, coerce_numbers_to_str=True), AfterValidator(_check_plain)
]
Seconds = Annotated[float, Field(gt=0)]
Retries = Annotated[int, Field(ge=0, le=MOST_RETRIES)]
Limit = Annotated[int, Field(gt=0)]
Fallbacks = Annotated[
    list[dict[Name, list[Name]]], BeforeValidator(lambda value: [] if value is None else value)
]
"""LiteLLM's form: `[{model: [another, a third]}]`."""


class BatchChoice(_Section):
    """How a deployment's work in bulk goes: `batch` is its lane, and with `batch_enabled` many prompts
    in one request become a batch too.
    """

    batch: Lane | None = None
    batch_enabled: bool | None = None


class LitellmParams(BatchChoice):
    """Who answers, and within which limits. What is a parameter of a request is every request's own
    where it does not give it.

    `timeout` and `request_timeout` are two names of one thing, as are the two bases, and the two
    numbers of retries.
    """

    known_extras = REQUEST_PARAMETERS

    model: Name
    custom_llm_provider: Name | None = None
    api_key: Secret | None = None
    api_base: Url | None = None
    base_url: Url | None = None
    organization: Word | None = None
    timeout: Seconds | None = None
    request_timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    num_retries: Retries | None = None
    max_retries: Retries | None = None
    rpm: Limit | None = None
    tpm: Limit | None = None
    max_parallel_requests: Limit | None = None
    drop_params: bool | None = None

    @property
    def request_parameters(self) -> dict[str, Any]:
        extras = self.model_extra or {}
        return {name: value for name, value in extras.items() if name in REQUEST_PARAMETERS}


class ModelEntry(BatchChoice):
    """One entry of `model_list`; `model_name` may hold `*`.

    What a `BatchChoice` says is read here, in `litellm_params`, which goes first, and in `model_info`.
    """

    model_name: Name
    litellm_params: LitellmParams
    model_info: Annotated[BatchChoice, BeforeValidator(_none_as_empty)] = Field(
        default_factory=BatchChoice
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
