"""Vectors that are a function of the request, the same in every form they are asked for."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

_DEFAULT_DIMENSIONS = 1536
_LARGE_DIMENSIONS = 3072


def rows(body: dict[str, Any], digest: str) -> list[dict[str, Any]]:
    """One row for each input of an embeddings request: a string, or an array of tokens."""
    dimensions = body.get("dimensions") or _default_dimensions(body["model"])
    encode = base64_of if body.get("encoding_format") == "base64" else floats
    return [
        {
            "object": "embedding",
            "index": index,
            "embedding": encode(vector(f"{digest}:{index}", dimensions)),
        }
        for index in range(_count(body["input"]))
    ]


def _count(given: Any) -> int:
    is_one = isinstance(given, str) or isinstance(given[0], int)
    return 1 if is_one else len(given)


def _default_dimensions(model: str) -> int:
    return _LARGE_DIMENSIONS if "large" in model else _DEFAULT_DIMENSIONS


def vector(seed: str, dimensions: int) -> list[float]:
    """Multiples of 1/4096: exact as float32, so that both encodings say the same."""
    noise = hashlib.shake_256(seed.encode()).digest(dimensions)
    return [(byte - 128) / 4096 for byte in noise]


def floats(numbers: list[float]) -> list[float]:
    return numbers


def base64_of(numbers: list[float]) -> str:
    """Little-endian float32, as OpenAI's clients ask for and decode."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
