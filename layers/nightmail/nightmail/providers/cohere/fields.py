"""Fields of a request that may hold anything, as what they have to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.providers.direct import JsonObject


def text_of(value: Any, place: str) -> str:
    return value if isinstance(value, str) else _refuse(place, "a string")


def list_of(value: Any, place: str, shape: str = "an array") -> list[Any]:
    return value if isinstance(value, list) else _refuse(place, shape)


def object_of(value: Any, place: str) -> JsonObject:
    return value if isinstance(value, dict) else _refuse(place, "an object")


def word_of(value: Any, place: str, words: Iterable[str]) -> str:
    known = tuple(words)
    if isinstance(value, str) and value in known:
        return value
    raise InvalidRequest(
        f"Invalid value for '{place}': Cohere takes {', '.join(known)} there.",
        param=place,
        code="invalid_value",
    )


def _refuse(place: str, shape: str) -> Any:
    raise InvalidRequest(
        f"Invalid type for '{place}': expected {shape}.", param=place, code="invalid_type"
    )
