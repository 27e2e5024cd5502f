"""An embeddings call in Cohere's words and back (https://docs.cohere.com/reference/embed)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nightmail.errors import InvalidRequest, ProviderGarbled
from nightmail.providers.cohere.answer import mapping_of, to_usage
from nightmail.providers.direct import JsonObject
from nightmail.providers.embedding_text import to_base64
from nightmail.providers.http import garbled

MAX_INPUTS = 96
_SAME = {
    "dimensions": "output_dimension",
    # Cohere's own
    "input_type": "input_type",
    "truncate": "truncate",
    "max_tokens": "max_tokens",
}
# Cohere asks for one always; what is embedded is most often what will be searched in.
_INPUT_TYPE = "search_document"
SUPPORTED = frozenset({"model", "input", "encoding_format", *_SAME})
"""What Cohere has of OpenAI's parameters, by its own name or another one, and its own."""


def to_embed(parameters: Mapping[str, Any], model: str) -> JsonObject:
    """The body of POST /v2/embed; with the `input_type` image the inputs are data URLs.

    Numbers are always asked for: not every model of Cohere's has base64. Raises InvalidRequest that
    names a field.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    fields = {theirs: given[name] for name, theirs in _SAME.items() if name in given}
    input_type = fields.setdefault("input_type", _INPUT_TYPE)
    place = "images" if input_type == "image" else "texts"
    return {"model": model, place: _inputs(given), **fields, "embedding_types": ["float"]}


def from_embed(
    answer: JsonObject, parameters: Mapping[str, Any], model: str, provider: str
) -> JsonObject:
    """OpenAI's list of embeddings. Raises ProviderGarbled where there is not one for each input."""
    vectors = mapping_of(answer.get("embeddings")).get("float")
    if not isinstance(vectors, list) or len(vectors) != _count(parameters.get("input"), vectors):
        raise garbled(provider, "with other than one embedding for each input", HTTPStatus.OK)
    usage = to_usage(answer.get("meta"))
    as_text = parameters.get("encoding_format") == "base64"
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _embedding(vector, provider, as_text=as_text),
            }
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {name: usage[name] for name in ("prompt_tokens", "total_tokens")},
    }


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


def _inputs(parameters: Mapping[str, Any]) -> list[str]:
    given = parameters.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not all(isinstance(entry, str) for entry in inputs):
        raise InvalidRequest(
            "Invalid type for 'input': expected a string or an array of strings. "
            "Cohere takes texts and no token numbers.",
            param="input",
            code="invalid_type",
        )
    if not 0 < len(inputs) <= MAX_INPUTS:
        raise InvalidRequest(
            f"Invalid 'input': Cohere takes 1 to {MAX_INPUTS} texts in a request, "
            f"but got {len(inputs)}. Send several requests, or a batch of them.",
            param="input",
            code="array_above_max_length" if inputs else "empty_array",
        )
    return inputs
