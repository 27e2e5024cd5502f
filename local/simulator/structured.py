"""Answers in JSON: the texts that an answer has, in the shape that a schema asks for."""

from __future__ import annotations

from typing import Any

import orjson

_EXAMPLES: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def compose_json(schema: dict[str, Any], text: str, tag: str) -> str:
    """An object with the schema's properties, texts in its strings, and the tag as `sim`.

    Where the schema allows no other property the tag stands in the strings.
    """
    if schema.get("additionalProperties") is False:
        return orjson.dumps(example(schema, f"{text} {tag}")).decode()
    shape = example(schema or {"type": "object", "properties": {"answer": {}}}, text)
    fields = shape if isinstance(shape, dict) else {"answer": shape}
    return orjson.dumps(fields | {"sim": tag}).decode()


def example(schema: Any, text: str) -> Any:
    """A value that fits a schema, if it is a plain one; else the text."""
    match schema:
        case {"enum": [_, *_] as choices}:
            return text if text in choices else choices[len(text) % len(choices)]
        case {"type": "object"}:
            properties = schema.get("properties")
            named = properties.items() if isinstance(properties, dict) else ()
            return {name: example(inner, text) for name, inner in named}
        case {"type": "array"}:
            return [example(schema.get("items"), text)]
        case {"type": str(kind)}:
            return _EXAMPLES.get(kind, text)
    return text
