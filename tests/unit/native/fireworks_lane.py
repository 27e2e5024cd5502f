"""Fireworks' native lane in the suite of whole lives."""

from __future__ import annotations

from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.native.lane import NativeLane

_ACCOUNT = "/accounts/acme"

FIREWORKS = NativeLane(
    provider="fireworks_ai",
    batches=f"{_ACCOUNT}/batchInferenceJobs",
    batch=f"{_ACCOUNT}/batchInferenceJobs/*",
    results=f"{_ACCOUNT}/datasets/*:getDownloadEndpoint",
    format=OpenAIFormat,
    keeps_tags=True,
    validates=True,
    upload=f"{_ACCOUNT}/datasets/*:upload",
    explains=False,
    tells_unrun=False,
    cancels=False,
    names_batches=True,
    fields={"model": "accounts/acme/models/gpt-5-mini-upstream"},
)
