"""Parameters of a request, checked one by one and refused in OpenAI's words.

Every function answers the value as what it is, or raises InvalidRequest naming `param`, the dotted
path of the parameter. Codes and messages are those of OpenAI's API.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nightmail.errors import InvalidRequest

# Where requests go and with which key is the gateway's business.
DESTINATIONS = frozenset(
    {
        "api_base",
        "api_key",
        "api_version",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "azure_endpoint",
        "base_url",
        "deployments",
        "extra_headers",
        "headers",
        "litellm_credential_name",
        "model_list",
        "organization",
        "vertex_credentials",
    }
)
NO_DESTINATION = "cannot be given: the gateway's config says who is asked, with which key"
_LONGEST_KEY = 64
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_ARTICLES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def wrong_type(value: Any, param: str, expected: str) -> InvalidRequest:
    """The error for a value of another type than `expected`, such as "an array"."""
    got = _ARTICLES.get(type(value), f"a {type(value).__name__}")
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        param=param,
        code="invalid_type",
    )


def unknown_parameter(param: str) -> InvalidRequest:
    """The error for a field that nothing acts on."""
    return InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def invalid(param: str, what: str) -> InvalidRequest:
    """The error for a value that will not do; `what` is a sentence."""
    return InvalidRequest(f"Invalid '{param}': {what}", param=param, code="invalid_value")


def _quoted(values: Collection[str]) -> str:
    *others, last = (f"'{value}'" for value in values)
    if len(others) > 1:
        return ", ".join([*others, f"and {last}"])
    return f"{others[0]} and {last}" if others else last


def required(body: Mapping[str, Any], name: str, param: str) -> Any:
    """The field `name` of `body`, whatever it is."""
    if name not in body:
        raise InvalidRequest(
            f"Missing required parameter: '{param}'.",
            param=param,
            code="missing_required_parameter",
        )
    return body[name]


def string(value: Any, param: str, longest: int) -> str:
    """A string of at most `longest` characters."""
    if not isinstance(value, str):
        raise wrong_type(value, param, "a string")
    if len(value) > longest:
        raise InvalidRequest(
            f"Invalid '{param}': string too long. Expected a string with maximum length "
            f"{longest}, but got a string with length {len(value)} instead.",
            param=param,
            code="string_above_max_length",
        )
    return value


def string_in(source: Mapping[str, Any], name: str, param: str) -> str:
    """The field `name` of `source`, the object at `param`."""
    value = required(source, name, f"{param}.{name}")
    if not isinstance(value, str):
        raise wrong_type(value, f"{param}.{name}", "a string")
    return value


def one_of(value: Any, param: str, supported: Collection[str]) -> str:
    """One of the `supported` strings."""
    if not isinstance(value, str):
        raise wrong_type(value, param, "a string")
    if value not in supported:
        raise InvalidRequest(
            f"Invalid value: '{value[:200]}'. Supported values are: {_quoted(supported)}.",
            param=param,
            code="invalid_value",
        )
    return value


def integer(value: Any, param: str, least: int, most: int) -> int:
    """An integer from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(value, param, "an integer")
    if value < least:
        raise InvalidRequest(
            f"Invalid '{param}': integer below minimum value. "
            f"Expected a value >= {least}, but got {value} instead.",
            param=param,
            code="integer_below_min_value",
        )
    if value > most:
        raise InvalidRequest(
            f"Invalid '{param}': integer above maximum value. "
            f"Expected a value <= {most}, but got {value} instead.",
            param=param,
            code="integer_above_max_value",
        )
    return value


def integer_text(text: str, param: str, least: int, most: int) -> int:
    """An integer written as text, as in a query."""
    return integer(int(text) if _INTEGER.fullmatch(text) else text, param, least, most)


def boolean(value: Any, param: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong_type(value, param, "a boolean")
    return value


def boolean_text(text: Any, param: str) -> bool:
    """True or false written as text, as in a query."""
    return one_of(text, param, ("true", "false")) == "true"


def number(value: Any, param: str, least: float, most: float) -> float:
    """A number from `least` to `most`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(value, param, "a number")
    if not least <= value <= most:
        raise InvalidRequest(
            f"Invalid '{param}': expected a number from {least:g} to {most:g}, but got {value} instead.",
            param=param,
            code="invalid_value",
        )
    return value


def mapping(value: Any, param: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong_type(value, param, "an object")
    return value


def strings(value: Any, param: str, most: int) -> list[str]:
    """An array of 1 to `most` strings."""
    if not isinstance(value, list):
        raise wrong_type(value, param, "an array")
    if not value:
        raise InvalidRequest(
            f"Invalid '{param}': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            param=param,
            code="empty_array",
        )
    if len(value) > most:
        raise InvalidRequest(
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(value)} instead.",
            param=param,
            code="array_above_max_length",
        )
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise wrong_type(entry, f"{param}[{index}]", "a string")
    return value


def extensions(value: Any, known: Sequence[str]) -> dict[str, Any]:
    """The fields of `nightmail`, the object of extensions, which may be left out.

    Raises InvalidRequest for one that is not `known`: it would be dropped silently otherwise.
    """
    fields = mapping(value, "nightmail") if value is not None else {}
    for name in fields:
        if name not in known:
            raise unknown_parameter(f"nightmail.{name[:_LONGEST_KEY]}")
    return fields
