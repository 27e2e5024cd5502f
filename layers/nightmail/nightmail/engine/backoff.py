"""How long to wait where the provider did not say."""

from __future__ import annotations

import math
import random

FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 8.0
_JITTER = 0.25
_MOST_DOUBLINGS = 10


def backoff_seconds(times: int) -> float:
    """0.5 s, doubled for each of the `times` before, to 8 s, less up to a quarter, as OpenAI's SDKs do."""
    longest = min(_LONGEST_SECONDS, math.ldexp(FIRST_SECONDS, min(times, _MOST_DOUBLINGS)))
    return longest * (1 - _JITTER * random.random())  # noqa: S311 - jitter is no secret
