"""The tokens of an answer in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.batch import Usage


def usage_of(body: Mapping[str, Any]) -> Usage:
    """In chat's words or those of the Responses API; what is no count is 0."""
    usage = _mapping(body.get("usage"))
    read = _mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    written = _mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        cached_tokens=_count(read.get("cached_tokens")),
        output_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        reasoning_tokens=_count(written.get("reasoning_tokens")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
