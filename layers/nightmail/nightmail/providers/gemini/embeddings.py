"""An embeddings call in Gemini's words and back.

Source: Google's API reference, "batchEmbedContents".
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nightmail.errors import ProviderGarbled
from nightmail.parameters import required, strings
from nightmail.providers.direct import JsonObject
from nightmail.providers.embedding_text import to_base64
from nightmail.providers.gemini.answer import mapping
from nightmail.providers.http import garbled

_MAX_INPUTS = 100
_SAME = {
    "dimensions": "outputDimensionality",
    # Gemini's own
    "task_type": "taskType",
    "title": "title",
}
SUPPORTED = frozenset({"model", "input", "encoding_format", *_SAME})
"""What Gemini has of OpenAI's parameters, by its own name or another one, and its own."""
# Gemini tells no tokens of embeddings, and says that one is about four characters ("Tokens").
_TOKEN_CHARACTERS = 4


def to_embed(given: Mapping[str, Any], model_path: str) -> JsonObject:
    """The body of `:batchEmbedContents`. Raises InvalidRequest that names a field."""
    fields = {theirs: given[name] for name, theirs in _SAME.items() if name in given}
    value = required(given, "input", "input")
    texts = strings([value] if isinstance(value, str) else value, "input", _MAX_INPUTS)
    return {
        "requests": [
            {"model": model_path, "content": {"parts": [{"text": text}]}, **fields}
            for text in texts
        ]
    }


def from_embed(answer: JsonObject, given: Mapping[str, Any], provider: str) -> JsonObject:
    """OpenAI's list of embeddings but for `model`; its tokens are estimated.

    Raises ProviderGarbled where there is not one embedding for each input.
    """
    texts = _texts(given.get("input"))
    listed = answer.get("embeddings")
    if not isinstance(listed, list) or (texts and len(listed) != len(texts)):
        raise garbled(provider, "with other than one embedding for each input", HTTPStatus.OK)
    as_text = given.get("encoding_format") == "base64"
    tokens = sum(-(-len(text) // _TOKEN_CHARACTERS) for text in texts)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _vector(entry, provider, as_text=as_text),
            }
            for index, entry in enumerate(listed)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text for text in listed if isinstance(text, str)]


def _vector(entry: Any, provider: str, *, as_text: bool) -> str | list[float]:
    vector = mapping(entry).get("values")
    if not isinstance(vector, list):
        raise _no_embedding(provider)
    try:
        return to_base64(vector) if as_text else vector
    except ValueError as error:
        raise _no_embedding(provider) from error


def _no_embedding(provider: str) -> ProviderGarbled:
    return garbled(provider, "with something that is no embedding", HTTPStatus.OK)
