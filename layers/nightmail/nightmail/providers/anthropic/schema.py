"""JSON schemas within what Anthropic's structured outputs take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nightmail.parameters import invalid, mapping
from nightmail.providers.direct import JsonObject

_REFUSED = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "contains",
        "minProperties", "maxProperties", "patternProperties", "propertyNames",
        "if", "then", "else", "not",
    }
)  # fmt: skip
_NAMED = frozenset({"properties", "$defs", "definitions"})
_LISTED = frozenset({"anyOf", "allOf", "oneOf"})
_MOST_LEVELS = 100  # two levels of JSON each, of which orjson writes 254


def supported_schema(schema: Any, param: str) -> JsonObject:
    """`schema` without what Anthropic refuses; the description keeps that for the model to read.

    `oneOf` becomes `anyOf`, and no object takes additional properties: these are the provider's
    rules. Definitions stay where they are, as in Anthropic's own client: written out they can be
    many times as long. Raises InvalidRequest for a schema that is none.
    """
    try:
        supported: JsonObject = _supported(mapping(schema, param), _MOST_LEVELS)
    except _TooDeep:
        raise invalid(param, "it is nested too deeply.") from None
    return supported


class _TooDeep(Exception):
    """A schema has more levels than can be written."""


def _supported(schema: Any, levels: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    if not levels:
        raise _TooDeep
    kept: JsonObject = {}
    refused: JsonObject = {}
    for keyword, value in schema.items():
        if keyword in _REFUSED:
            refused[keyword] = value
        else:
            kept["anyOf" if keyword == "oneOf" else keyword] = _value(keyword, value, levels - 1)
    if kept.get("type") == "object" or "properties" in kept:
        kept["additionalProperties"] = False
    if refused:
        kept["description"] = _described(kept.get("description"), refused)
    return kept


def _value(keyword: str, value: Any, levels: int) -> Any:
    if keyword in _NAMED and isinstance(value, dict):
        return {name: _supported(entry, levels) for name, entry in value.items()}
    if keyword in _LISTED and isinstance(value, list):
        return [_supported(entry, levels) for entry in value]
    return _supported(value, levels) if keyword == "items" else value


def _described(description: Any, refused: Mapping[str, Any]) -> str:
    rules = orjson.dumps(refused).decode()
    return f"{description}\n\n{rules}" if isinstance(description, str) else rules
