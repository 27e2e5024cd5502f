"""The batches of a server that has OpenAI's, as the config says of it."""

from __future__ import annotations

from dataclasses import replace

from nightmail.providers.compatible.card import BATCHES
from nightmail.providers.openai_protocol.batches import OpenAIBatches

from tests.unit.adapters.openai_samples import OPENAI as DIRECT
from tests.unit.native.cases import BASE
from tests.unit.native.openai_samples import OPENAI

COMPATIBLE = replace(
    OPENAI,
    direct=replace(DIRECT, provider="custom_openai", api_base=BASE),
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, BATCHES, model=deployment.model
    ),
    lane="native",
    newest_first=False,
)
