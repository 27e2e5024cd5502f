"""JSON for providers and of theirs: an answer that was paid for is read although it is not quite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from nightmail.errors import InvalidRequest


def write_json(request: Mapping[str, Any]) -> bytes:
    """Raises InvalidRequest for what no JSON can hold."""
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError as error:
        raise InvalidRequest(
            "The request cannot be written as JSON: it holds half a character, "
            "an integer of more than 64 bits, too many levels, or something else than data."
        ) from error


def read_json(content: bytes) -> Any:
    """The value, or None for what is none. Half an emoji and NaN, which are no JSON, are let go."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return _read_leniently(content)


def mapping_of(value: Any) -> dict[str, Any]:
    """The value where it is an object, or one without anything in it."""
    return value if isinstance(value, dict) else {}


def count_of(counts: Mapping[str, Any], name: str) -> int:
    """The count `name`, such as one of tokens; 0 where there is none, or something else."""
    return count(counts.get(name))


def count(value: Any) -> int:
    """The value where it is a count, or 0."""
    return value if isinstance(value, int) and value > 0 else 0


def moment_of(value: Any) -> int | None:
    """Unix seconds of a moment as RFC 3339 writes it; None for anything else."""
    try:
        return int(datetime.fromisoformat(str(value)).timestamp())
    except (ValueError, OverflowError):
        return None


def _read_leniently(content: bytes) -> Any:
    try:
        entry = json.loads(content.decode(errors="replace"), parse_constant=lambda _: None)
        return orjson.loads(json.dumps(entry, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        return None
