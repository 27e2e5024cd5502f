"""An embeddings call in Gemini's words and back.

Source: Google's API reference, "batchEmbedContents".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.parameters import required, strings
from nightmail.providers.conversion.embeddings import to_data
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of

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
    listed = answer.get("embeddings")
    entries = listed if isinstance(listed, list) else []
    texts = _texts(given.get("input"))
    tokens = sum(-(-len(text) // _TOKEN_CHARACTERS) for text in texts)
    return {
        "object": "list",
        "data": to_data([mapping_of(entry).get("values") for entry in entries], given, provider),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text for text in listed if isinstance(text, str)]
