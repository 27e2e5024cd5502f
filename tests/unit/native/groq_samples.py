"""Groq's batches: OpenAI's, for chat alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nightmail.providers.groq.card import BATCHES
from nightmail.providers.openai_protocol.batches import OpenAIBatches

from tests.unit.adapters.documents import check_request, check_schema
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import Json, Told
from tests.unit.native.openai_samples import OPENAI, openai_batch

_SPEC = "groq.trimmed.openapi.yaml"


def _batch(told: Told) -> Json:
    """Its description knows no null."""
    return {name: value for name, value in openai_batch(told).items() if value is not None}


def _check_lines(lines: Sequence[Json]) -> None:
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        check_request(_SPEC, "/openai/v1/chat/completions", line["body"])


GROQ = replace(
    OPENAI,
    direct=next(samples for samples in COMPATIBLE if samples.provider == "groq"),
    open=lambda deployment, http, key: OpenAIBatches(
        deployment, http, key, BATCHES, model=deployment.model
    ),
    batch=_batch,
    check_lines=_check_lines,
    embeds=False,
    newest_first=False,
    check_batch=lambda batch: check_schema(_SPEC, "Batch", batch),
)
