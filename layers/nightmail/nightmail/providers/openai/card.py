"""OpenAI itself."""

from __future__ import annotations

from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import Server

# OpenAI's API reference and guide, "Batch".
BATCHES = BatchApi(
    limits=Limits(lines=50_000, bytes=200 * 1024 * 1024, inputs=50_000), newest_first=True
)
CARD = openai_batch_card({"openai": Server("https://api.openai.com/v1", is_exact=True)}, BATCHES)
