"""Pages of lists that fit into one answer of a Lambda."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from nightmail.api.wire import page_of

_MOST_BYTES = 5_000_000  # Lambda answers with at most 6 MB


def fitting_page(objects: Iterable[dict[str, Any]], limit: int) -> dict[str, Any]:
    """OpenAI's list of the first `limit` objects, or of as many as fit; `has_more` tells of the rest.

    Reads one object more than it takes.
    """
    page: list[dict[str, Any]] = []
    room = _MOST_BYTES
    for entry in objects:
        room -= _size(entry)
        if page and (len(page) == limit or room < 0):
            return page_of(page, has_more=True)
        page.append(entry)
    return page_of(page, has_more=False)


def _size(entry: dict[str, Any]) -> int:
    """Lambda writes the answer as a JSON string once more, at worst with every character escaped."""
    return len(json.dumps(orjson.dumps(entry).decode()))
