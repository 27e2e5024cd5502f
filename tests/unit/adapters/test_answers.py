"""Every provider's answers come back in OpenAI's form, under the public name."""

from __future__ import annotations

import json
import struct
from base64 import b64decode

import pytest
from nightmail.usage import Usage, usage_of

from tests.unit.adapters.asked import BODY, answered
from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    EMBEDDINGS,
    INPUTS,
    LONG_COMPLETION_TOKENS,
    LONG_PROMPT_TOKENS,
    PROMPT_TOKENS,
    PUBLIC_MODEL,
    REASONING_TOKENS,
    TEXT,
    TOOL_CALLS,
    VECTORS,
    AdapterSamples,
)


def test_a_plain_answer(samples: AdapterSamples) -> None:
    body = answered(samples, samples.plain)
    assert body["object"] == "chat.completion"
    assert isinstance(body["id"], str)
    assert isinstance(body["created"], int)
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    message = choice["message"]
    assert (message["role"], message["content"], message["refusal"]) == ("assistant", TEXT, None)
    assert not message.get("tool_calls")


def test_the_model_is_the_public_one_and_the_providers_own_is_in_the_details(
    samples: AdapterSamples,
) -> None:
    body = answered(samples, samples.plain)
    assert body["model"] == PUBLIC_MODEL
    assert body["nightmail"] == {"provider": samples.provider, "model": samples.model}


def test_the_usage_of_a_plain_answer(samples: AdapterSamples) -> None:
    usage = answered(samples, samples.plain)["usage"]
    assert usage["prompt_tokens"] == PROMPT_TOKENS
    assert usage["completion_tokens"] == COMPLETION_TOKENS
    assert usage["total_tokens"] == PROMPT_TOKENS + COMPLETION_TOKENS
    assert None not in usage.values()


def test_cached_and_reasoning_tokens_are_counted_within(samples: AdapterSamples) -> None:
    body = answered(samples, samples.long_usage)
    assert usage_of(body) == Usage(
        input_tokens=LONG_PROMPT_TOKENS,
        cached_tokens=CACHED_TOKENS if samples.has_cached_tokens else 0,
        cache_write_tokens=samples.cache_write_tokens,
        output_tokens=LONG_COMPLETION_TOKENS,
        reasoning_tokens=REASONING_TOKENS if samples.has_reasoning_tokens else 0,
    )
    assert body["usage"]["total_tokens"] == LONG_PROMPT_TOKENS + LONG_COMPLETION_TOKENS


def test_tools_are_called_in_order_with_arguments_as_text(samples: AdapterSamples) -> None:
    (choice,) = answered(samples, samples.tools)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    calls = choice["message"]["tool_calls"]
    made = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
    assert made == list(TOOL_CALLS)
    assert all(call["id"] and call["type"] == "function" for call in calls)


def test_finish_reasons_are_openais_words(samples: AdapterSamples) -> None:
    assert samples.finish_reasons
    for reason, contents in samples.finish_reasons.items():
        for content in contents:
            (choice,) = answered(samples, content)["choices"]
            assert choice["finish_reason"] == reason


def test_answers_can_be_written_as_json(samples: AdapterSamples) -> None:
    for content in (samples.plain, samples.tools, samples.long_usage):
        assert json.loads(json.dumps(answered(samples, content, body=BODY)))


def test_embeddings_are_numbers_unless_base64_is_asked_for(samples: AdapterSamples) -> None:
    if samples.embeddings is None:
        pytest.skip("this provider has no embeddings")
    request = {"model": "any", "input": list(INPUTS)}
    plain = answered(samples, samples.embeddings, body=request, endpoint=EMBEDDINGS)
    assert [entry["embedding"] for entry in plain["data"]] == list(VECTORS)
    assert [entry["index"] for entry in plain["data"]] == [0, 1]
    assert {entry["object"] for entry in plain["data"]} == {"embedding"}
    assert (plain["object"], plain["model"]) == ("list", PUBLIC_MODEL)
    assert plain["usage"]["prompt_tokens"] == samples.embedding_tokens
    wanted = {**request, "encoding_format": "base64"}
    encoded = answered(samples, samples.embeddings, body=wanted, endpoint=EMBEDDINGS)
    vectors = [struct.unpack("<2f", b64decode(entry["embedding"])) for entry in encoded["data"]]
    assert [list(vector) for vector in vectors] == list(VECTORS)
