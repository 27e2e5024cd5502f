"""Calls by the official client that many of its tests make."""

from __future__ import annotations

import openai
from openai.types import Batch

from tests.contract.calls import LINES
from tests.simulated import CHAT, as_jsonl, line

INPUT = ("in.jsonl", as_jsonl(LINES))


def create(client: openai.OpenAI, input_file_id: str = "") -> Batch:
    file_id = input_file_id or client.files.create(file=INPUT, purpose="batch").id
    return client.batches.create(
        input_file_id=file_id, endpoint=CHAT, completion_window="24h", metadata={"customer": "7"}
    )


def big_file(size: int) -> bytes:
    """JSON lines of `size` bytes together."""
    return line_of_bytes() * (size // len(line_of_bytes()) + 1)


def line_of_bytes() -> bytes:
    return as_jsonl([line(1, {"model": "gpt-4o", "messages": [], "padding": "x" * 10_000})])
