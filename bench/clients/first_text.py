"""When the text of a stream begins."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any


def seconds_to_text(begun: float, chunks: Iterable[Any]) -> float:
    """From `begun`, a `time.perf_counter()`, to the first chunk that says something; reads all of them."""
    said_at = [
        time.perf_counter() for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
    ]
    return said_at[0] - begun
