"""Embeddings as OpenAI's base64: what its Python client asks for where nobody says otherwise."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence


def to_base64(vector: Sequence[float]) -> str:
    """The numbers as little-endian 32-bit floats, in base64.

    Raises ValueError where one of them is no number, or none of 32 bits.
    """
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as error:
        raise ValueError("this embedding holds something that is no number") from error
