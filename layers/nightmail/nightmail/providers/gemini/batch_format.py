"""The lines of Gemini's batches, which are uploaded as a file. Pure.

Source: Google, "Batch API" of the Gemini API, "Input file" and "Technical details".
"""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.providers.gemini.request import to_generate_request
from nightmail.providers.json_text import write_json


class GeminiFormat:
    """One request a line, known by a key; it is what the direct lane would send.

    A file of 2 GB has as many lines as it holds; more than other providers take, a shard need not have.
    The window is what Gemini aims at: what it has not run after 48 hours, it gives up.
    """

    limits = Limits(lines=100_000, bytes=2_000_000_000)
    endpoints = frozenset({CHAT})
    live_counts = True

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def to_line(self, line: Line, line_id: str) -> bytes:
        request = to_generate_request(line.body, self._deployment)
        return write_json({"key": line_id, "request": request}) + b"\n"
