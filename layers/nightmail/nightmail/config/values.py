"""What may be given for a key of `config.yaml`. Strict types, so that nothing is guessed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from nightmail.config.references import fits_a_header, is_reference, name_of


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


def _as_exact(value: Any) -> Decimal:
    """A number as it is written: YAML takes `1e-6` for a text."""
    text = str(value) if type(value) in {int, float, str} else ""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise ValueError("this has to be a number, such as 0.0000025 or 2.5e-6") from None


def _check_price(value: Decimal) -> Decimal:
    if value > 1:
        raise ValueError("a price is for one token: 2.5 dollars for a million are 2.5e-6")
    return value


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_check_plain)]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_reference)]
Url = Annotated[str, Field(min_length=1), AfterValidator(_check_url)]
Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_check_secret)]
Plain = Annotated[
    str, Field(strict=False, coerce_numbers_to_str=True), AfterValidator(_check_plain)
]
Seconds = Annotated[float, Field(gt=0)]
Retries = Annotated[int, Field(ge=0, le=100)]
Limit = Annotated[int, Field(gt=0)]
Price = Annotated[
    Decimal,
    BeforeValidator(_as_exact),
    Field(ge=0, decimal_places=30),
    AfterValidator(_check_price),
]
Weight = Annotated[Decimal, BeforeValidator(_as_exact), Field(gt=0, le=10**9, decimal_places=9)]
OnDeadline = Literal["expire", "finish_direct"]
Fallbacks = Annotated[
    list[dict[Name, list[Name]]], BeforeValidator(lambda value: [] if value is None else value)
]
"""LiteLLM's form: `[{model: [another, a third]}]`."""
