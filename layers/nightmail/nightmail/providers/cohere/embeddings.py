"""An embeddings call in Cohere's words and back (https://docs.cohere.com/reference/embed)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.providers.cohere.answer import to_usage
from nightmail.providers.conversion.embeddings import INPUT_TYPE, to_data
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of

MAX_INPUTS = 96
_SAME = {
    "dimensions": "output_dimension",
    # Cohere's own
    "input_type": "input_type",
    "truncate": "truncate",
    "max_tokens": "max_tokens",
}
SUPPORTED = frozenset({"model", "input", "encoding_format", *_SAME})
"""What Cohere has of OpenAI's parameters, by its own name or another one, and its own."""


def to_embed(parameters: Mapping[str, Any], model: str) -> JsonObject:
    """The body of POST /v2/embed; with the `input_type` image the inputs are data URLs.

    Numbers are always asked for: not every model of Cohere's has base64. Raises InvalidRequest that
    names a field.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    fields = {theirs: given[name] for name, theirs in _SAME.items() if name in given}
    input_type = fields.setdefault("input_type", INPUT_TYPE)
    place = "images" if input_type == "image" else "texts"
    return {"model": model, place: _inputs(given), **fields, "embedding_types": ["float"]}


def from_embed(
    answer: JsonObject, parameters: Mapping[str, Any], model: str, provider: str
) -> JsonObject:
    """OpenAI's list of embeddings. Raises ProviderGarbled where there is not one for each input."""
    usage = to_usage(answer.get("meta"))
    return {
        "object": "list",
        "data": to_data(mapping_of(answer.get("embeddings")).get("float"), parameters, provider),
        "model": model,
        "usage": {name: usage[name] for name in ("prompt_tokens", "total_tokens")},
    }


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
