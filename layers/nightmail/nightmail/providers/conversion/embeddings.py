"""Embeddings as OpenAI writes them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nightmail.errors import ProviderGarbled
from nightmail.providers.direct import JsonObject
from nightmail.providers.embedding_text import to_base64
from nightmail.providers.http import garbled

INPUT_TYPE = "search_document"
"""For models that ask for a type: what is embedded is most often what will be searched in."""


def to_data(vectors: Any, given: Mapping[str, Any], provider: str) -> list[JsonObject]:
    """OpenAI's `data` for the request `given`.

    Raises ProviderGarbled where `vectors` are not one list of numbers for each input.
    """
    if not isinstance(vectors, list) or len(vectors) != _count(given.get("input"), vectors):
        raise garbled(provider, "with other than one embedding for each input", HTTPStatus.OK)
    as_text = given.get("encoding_format") == "base64"
    return [
        {
            "object": "embedding",
            "index": index,
            "embedding": _embedding(vector, provider, as_text=as_text),
        }
        for index, vector in enumerate(vectors)
    ]


def _count(given: Any, vectors: list[Any]) -> int:
    """How many embeddings `given` has to have, which nobody can tell where it is no input."""
    if isinstance(given, str):
        return 1
    return len(given) if isinstance(given, list) else len(vectors)


def _embedding(vector: Any, provider: str, *, as_text: bool) -> str | list[float]:
    if not isinstance(vector, list):
        raise _no_embedding(provider)
    try:
        return to_base64(vector) if as_text else vector
    except ValueError as error:
        raise _no_embedding(provider) from error


def _no_embedding(provider: str) -> ProviderGarbled:
    return garbled(provider, "with something that is no embedding", HTTPStatus.OK)
