"""What a race tells beside its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

FASTEST = "x-litellm-fastest_response_batch_completion"
_MOST_CHARACTERS = 4096  # API Gateway takes about 10 KB of headers in all
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def race_headers(winner: str, report: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Who won, what became of each model, and LiteLLM's word for it.

    A name that is not ASCII is percent-encoded; a report that is too long ends early.
    """
    return {
        "x-nightmail-winner": quote(winner, safe=_PRINTABLE),
        "x-nightmail-race": _fitting(report),
        FASTEST: "True",
    }


def _fitting(report: Sequence[Mapping[str, Any]]) -> str:
    entries = list(report)
    while len(text := json.dumps(entries, separators=(",", ":"))) > _MOST_CHARACTERS:
        entries.pop()
    return text
