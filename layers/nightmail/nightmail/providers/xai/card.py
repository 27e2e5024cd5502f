"""xAI: OpenAI's requests, and batches of its own for chat alone."""

from __future__ import annotations

from dataclasses import replace

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, RESPONSES
from nightmail.providers.base import BatchProvider, Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

SERVER = Server("https://api.x.ai/v1", as_openai(CHAT, COMPLETIONS, RESPONSES))
# docs.x.ai, "Batch API": the limits of an input file, whose upload has no purpose. Whatever a line asks
# for, its result is a chat's.
BATCHES = BatchApi(
    limits=Limits(lines=50_000, bytes=200_000_000), endpoints=frozenset({CHAT}), form={}
)


def _open_batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.xai.batches import open_xai

    return open_xai(deployment, key)


CARD = replace(openai_batch_card({"xai": SERVER}, BATCHES), open_batches=_open_batches)
