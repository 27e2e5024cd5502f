"""Requests are what the providers' published descriptions allow, and answers what OpenAI's does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.adapters.asked import answered, streamed
from tests.unit.adapters.cases import (
    CHAT,
    EMBEDDINGS,
    FEATURES,
    INPUTS,
    PARAMETERS,
    QUESTION,
    AdapterSamples,
)
from tests.unit.adapters.documents import check_request, check_schema

RELAXED = "openai.relaxed.openapi.yaml"  # it allows the nulls that OpenAI sends


def sent(samples: AdapterSamples, body: Mapping[str, Any], *, stream: bool = False) -> Any:
    whole = {"model": "any", **samples.extra, **body}
    return json.loads(samples.adapter().request(CHAT, whole, stream=stream).content)


def check_chat(samples: AdapterSamples, request: Any) -> None:
    if samples.spec is None:
        pytest.skip("no description of this provider is kept")
    check_request(samples.spec.file, samples.spec.chat, request)


def test_the_requests_of_all_features_are_described(samples: AdapterSamples) -> None:
    bodies = {feature.name: feature.body for feature in FEATURES}
    for name in bodies.keys() - samples.undescribed - samples.refused_features.keys():
        check_chat(samples, sent(samples, bodies[name]))


def test_the_requests_of_all_parameters_are_described(samples: AdapterSamples) -> None:
    for name in PARAMETERS.keys() - samples.refused - samples.undescribed:
        check_chat(samples, sent(samples, {"messages": QUESTION, name: PARAMETERS[name]}))


def test_a_streams_request_is_described(samples: AdapterSamples) -> None:
    body = {"messages": QUESTION, "stream_options": {"include_usage": True}}
    check_chat(samples, sent(samples, body, stream=True))


def test_a_request_for_embeddings_is_described(samples: AdapterSamples) -> None:
    if samples.spec is None or samples.spec.embeddings is None:
        pytest.skip("no description of this provider's embeddings is kept")
    body = {"model": "any", "input": list(INPUTS), "encoding_format": "base64"}
    request = json.loads(samples.adapter().request(EMBEDDINGS, body).content)
    check_request(samples.spec.file, samples.spec.embeddings, request)


def test_answers_are_as_openai_describes_its_own(samples: AdapterSamples) -> None:
    contents = [content for group in samples.finish_reasons.values() for content in group]
    for content in (samples.plain, samples.tools, samples.long_usage, *contents):
        check_schema(RELAXED, "CreateChatCompletionResponse", answered(samples, content))


def test_chunks_are_as_openai_describes_its_own(samples: AdapterSamples) -> None:
    for content in (samples.stream_plain, samples.stream_tools):
        for chunk in streamed(samples.adapter(), [content]):
            check_schema(RELAXED, "CreateChatCompletionStreamResponse", chunk)


def test_embeddings_are_as_openai_describes_its_own(samples: AdapterSamples) -> None:
    if samples.embeddings is None:
        pytest.skip("this provider has no embeddings")
    body = answered(samples, samples.embeddings, body={}, endpoint=EMBEDDINGS)
    check_schema(RELAXED, "CreateEmbeddingResponse", body)
