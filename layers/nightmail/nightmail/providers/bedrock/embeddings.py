"""Embeddings by InvokeModel: Amazon's Titan and Cohere's models, each with a body of its own.

Sources: the Bedrock User Guide, "Amazon Titan Embeddings" and "Cohere Embed" (inference parameters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import integer, one_of, required, strings, wrong_type
from nightmail.providers.conversion.embeddings import INPUT_TYPE, to_data
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.request_parameters import unsupported_parameter

_TITAN = re.compile(r"\bamazon\.titan-embed-")
_FIRST_TITAN = "titan-embed-text-v1"
_COHERE = re.compile(r"\bcohere\.embed-")
_MOST_TEXTS = 96
_MOST_DIMENSIONS = 10_000
_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
_COUNT_HEADER = "x-amzn-bedrock-input-token-count"
SUPPORTED = frozenset({"model", "input", "dimensions", "encoding_format", "input_type", "truncate"})


def is_embedding_model(model: str) -> bool:
    return bool(_TITAN.search(model) or _COHERE.search(model))


def to_invocation(given: Mapping[str, Any], deployment: Deployment) -> JsonObject:
    """The body for the deployment's model. Raises InvalidRequest that names a field."""
    texts = _texts(required(given, "input", "input"))
    dimensions = given.get("dimensions")
    if dimensions is not None:
        integer(dimensions, "dimensions", 1, _MOST_DIMENSIONS)
    if _COHERE.search(deployment.model):
        return _for_cohere(texts, given)
    (text,) = texts  # divided
    return _for_titan(text, dimensions, given, deployment)


def one_by_one(
    body: Mapping[str, Any], given: Mapping[str, Any], deployment: Deployment
) -> list[Mapping[str, Any]]:
    """A body for each text where the model takes no list; `given` is `body` with its defaults.

    Raises InvalidRequest that names a field.
    """
    texts = given.get("input")
    if not isinstance(texts, list) or not _TITAN.search(deployment.model):
        return [body]
    return [{**body, "input": text} for text in _texts(texts)]


def from_invocation(
    answer: JsonObject, given: Mapping[str, Any], provider: str
) -> list[JsonObject]:
    """OpenAI's `data`. Raises ProviderGarbled where there is not one embedding for each input."""
    return to_data(_vectors(answer), given, provider)


def tokens_of(answer: JsonObject, http: HttpAnswer) -> int:
    """How many tokens were read: Titan tells in its answer, and Bedrock in a header."""
    told = answer.get("inputTextTokenCount")
    if isinstance(told, int) and told > 0:
        return told
    counted = http.headers.get(_COUNT_HEADER, "")
    return int(counted) if counted.isascii() and counted.isdecimal() else 0


def _texts(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise wrong_type(given, "input", "a string or an array of strings")
    return strings(given, "input", _MOST_TEXTS)


def _for_cohere(texts: list[str], given: Mapping[str, Any]) -> JsonObject:
    fields: JsonObject = {
        "texts": texts,
        "input_type": one_of(given.get("input_type", INPUT_TYPE), "input_type", _INPUT_TYPES),
        "embedding_types": ["float"],
        "truncate": given.get("truncate"),
        "output_dimension": given.get("dimensions"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _for_titan(
    text: str, dimensions: int | None, given: Mapping[str, Any], deployment: Deployment
) -> JsonObject:
    for name in ("input_type", "truncate"):
        if name in given and not deployment.drop_params:
            raise unsupported_parameter(name, deployment)
    if dimensions is None:
        return {"inputText": text}
    if _FIRST_TITAN in deployment.model:
        if deployment.drop_params:
            return {"inputText": text}
        raise unsupported_parameter("dimensions", deployment)
    return {"inputText": text, "dimensions": dimensions}


def _vectors(answer: JsonObject) -> Any:
    """Titan's one, or Cohere's: a bare list where no types were known yet."""
    if "embedding" in answer:
        return [answer["embedding"]]
    found = answer.get("embeddings")
    return found.get("float") if isinstance(found, dict) else found
