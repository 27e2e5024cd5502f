"""Cohere's adapter and the engine against the simulator, on a real socket."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.engine.call import Call
from nightmail.errors import ProviderRejected

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, EMBEDDINGS, QUESTION, WITH_TOOLS
from tests.unit.simulated_calls import answer, call_to, stream


def call_of(simulator: SimulatorClient, body: Mapping[str, Any], endpoint: str = CHAT) -> Call:
    return call_to(simulator, "cohere", "command-r", body, endpoint)


def test_a_named_tool_is_called_and_no_other(simulator: SimulatorClient) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    (whole,) = answer(call_of(simulator, {**WITH_TOOLS, "tool_choice": named}))["choices"]
    called = [call["function"]["name"] for call in whole["message"]["tool_calls"]]
    assert (called, whole["finish_reason"]) == (["get_time"], "tool_calls")


def test_the_usage_of_a_stream_is_that_of_the_whole(simulator: SimulatorClient) -> None:
    counted = {"messages": QUESTION, "stream_options": {"include_usage": True}}
    whole = answer(call_of(simulator, {"messages": QUESTION}))
    assert stream(call_of(simulator, counted))[-1]["usage"] == whole["usage"]


def test_a_call_that_cohere_refuses_keeps_its_words(simulator: SimulatorClient) -> None:
    body = {"messages": [*QUESTION, {"role": "assistant", "content": "Snow."}]}
    with pytest.raises(ProviderRejected, match="the last message must be from the user") as caught:
        answer(call_of(simulator, body))
    assert caught.value.http_status == 400


def test_embeddings_come_as_numbers_and_as_base64(simulator: SimulatorClient) -> None:
    body = {"input": ["a", "b"], "dimensions": 256}
    numbers = answer(call_of(simulator, body, EMBEDDINGS))
    texts = answer(call_of(simulator, {**body, "encoding_format": "base64"}, EMBEDDINGS))
    decoded = [struct.unpack("<256f", b64decode(entry["embedding"])) for entry in texts["data"]]
    expected = [tuple(entry["embedding"]) for entry in numbers["data"]]
    assert [pytest.approx(vector) for vector in expected] == decoded
