"""The shape of `config.yaml`, as LiteLLM's users have it.

A declared field is a key that something acts on; whatever else is given is kept aside by pydantic,
and `unknown_keys` names it. Strict types, so that nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
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
from nightmail.errors import InvalidConfig


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
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_check_plain)]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_reference)]
Url = Annotated[str, Field(min_length=1), AfterValidator(_check_url)]
Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_check_secret)]
Plain = Annotated[
    str, Field(strict=False, coerce_numbers_to_str=True), AfterValidator(_check_plain)
]
Seconds = Annotated[float, Field(gt=0)]


class LitellmParams(_Section):
    """Who answers. `timeout` and `request_timeout` are two names of one thing, as are the two bases."""

    model: Name
    custom_llm_provider: Name | None = None
    api_key: Secret | None = None
    api_base: Url | None = None
    base_url: Url | None = None
    organization: Word | None = None
    timeout: Seconds | None = None
    request_timeout: Seconds | None = None


class ModelEntry(_Section):
    """One entry of `model_list`; `model_name` may hold `*`."""

    model_name: Name
    litellm_params: LitellmParams


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


class LitellmSettings(_Section):
    request_timeout: Seconds | None = None


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


def unknown_keys(section: BaseModel, path: str = "") -> Iterator[str]:
    """The paths of all keys that are no declared field."""
    for name in section.model_extra or {}:
        yield f"{path}{name}"
    for name in type(section).model_fields:
        yield from _unknown_in(getattr(section, name), f"{path}{name}")


def _unknown_in(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from unknown_keys(value, f"{path}.")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _unknown_in(entry, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _unknown_in(entry, f"{path}.{name}")
