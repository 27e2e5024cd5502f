"""Answers that are too big for Lambda: they are laid into the bucket, and the caller is sent there."""

from __future__ import annotations

import json
import secrets
from typing import Any

from aws_lambda_powertools.event_handler import Response

from nightmail.stores.objects import ObjectStore

URL_SECONDS = 15 * 60
_MOST_BYTES = 5_000_000  # Lambda answers with at most 6 MB, its headers included
_SURELY_FITS = _MOST_BYTES // 12  # escaped, a character takes at most twelve bytes
_SEE_OTHER = 303


class Answers:
    """Makes answers fit."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def fit(self, owner: str, answer: Response[Any]) -> Response[Any]:
        """The answer, or a redirect to where a GET without a key finds its body for 15 minutes.

        A stream has no size: it goes out as it comes.
        """
        body = answer.body or ""
        if not isinstance(body, str) or fits(body):
            return answer
        key = f"answers/{owner}/{secrets.token_hex(16)}"
        self._objects.put(key, body.encode(), answer.content_type or "")
        url = self._objects.presign_get(key, URL_SECONDS, disposition="inline")
        headers = {**answer.headers, "location": url, "cache-control": "no-store"}
        return Response(_SEE_OTHER, answer.content_type, "", headers)


def fits(body: str) -> bool:
    """Whether Lambda can answer it, which writes it as a JSON string once more."""
    return len(body) <= _SURELY_FITS or len(json.dumps(body)) <= _MOST_BYTES
