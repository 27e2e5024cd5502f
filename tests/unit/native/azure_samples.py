"""Azure OpenAI's batches: OpenAI's, whose words older versions capitalise."""

from __future__ import annotations

import json
from dataclasses import replace

from nightmail.providers.azure.service import BATCHES
from nightmail.providers.openai_protocol.batches import OpenAIBatches

from tests.unit.adapters.azure_samples import AZURE as DIRECT
from tests.unit.native.cases import Json
from tests.unit.native.openai_samples import OPENAI, responded


def _refused(identity: str, status: int, words: str) -> Json:
    return responded(identity, status, json.loads(DIRECT.error(status, words)))


AZURE = replace(
    OPENAI,
    direct=DIRECT,
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, BATCHES, model=deployment.model
    ),
    words={**OPENAI.words, **{word.title(): phase for word, phase in OPENAI.words.items()}},
    refused=_refused,
    embeds=False,
    newest_first=False,
)
