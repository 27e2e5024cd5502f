"""Embeddings of servers that speak OpenAI's protocol more or less. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.providers.direct import JsonObject
from nightmail.providers.embedding_text import to_base64
from nightmail.providers.http import garbled
from nightmail.providers.openai_protocol.usage import mend_usage


def mend_embeddings(body: JsonObject, request: Mapping[str, Any], provider: str) -> None:
    """Give the caller base64 where it was asked for and the server answered in numbers.

    Raises ProviderGarbled for what is no embedding.
    """
    for entry in body["data"]:
        embedding = entry.get("embedding") if isinstance(entry, dict) else None
        if not isinstance(embedding, (list, str)):
            raise garbled(provider, "with something that is no embedding", 200)
        if request.get("encoding_format") == "base64" and isinstance(embedding, list):
            entry["embedding"] = _encoded(embedding, provider)
    mend_usage(body)


def _encoded(vector: list[Any], provider: str) -> str:
    try:
        return to_base64(vector)
    except ValueError as error:
        raise garbled(provider, "with something that is no embedding", 200) from error
