"""Answers in JSON, for requests with a `response_format` that asks for it."""

from __future__ import annotations

from typing import Any

import orjson

_EXAMPLES: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def wants_json(body: dict[str, Any]) -> bool:
    form = body.get("response_format")
    return isinstance(form, dict) and form.get("type") in ("json_object", "json_schema")


def compose_json(body: dict[str, Any], text: str, tag: str) -> str:
    """An object with the schema's properties, texts in its strings, and the tag as `sim`."""
    wanted = body["response_format"].get("json_schema") or {}
    schema = wanted.get("schema") or {"type": "object", "properties": {"answer": {}}}
    example = _example(schema, text)
    fields = example if isinstance(example, dict) else {"answer": example}
    return orjson.dumps(fields | {"sim": tag}).decode()


def _example(schema: dict[str, Any], text: str) -> Any:
    if choices := schema.get("enum"):
        return text if text in choices else choices[len(text) % len(choices)]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties") or {}
            return {name: _example(inner, text) for name, inner in properties.items()}
        case "array":
            return [_example(schema.get("items") or {}, text)]
        case str(kind):
            return _EXAMPLES.get(kind, text)
    return text
