"""Bedrock in the suite: a model of Converse's, which has no embeddings."""

from __future__ import annotations

from typing import Any

import orjson
from nightmail.providers.bedrock.provider import BedrockProvider

from local.simulator.bedrock.event_stream import exception
from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    LONG_COMPLETION_TOKENS,
    LONG_PROMPT_TOKENS,
    PROMPT_TOKENS,
    TEXT,
    TOOL_CALLS,
    AdapterSamples,
)
from tests.unit.bedrock_events import called, end, said, start

_HALF = len(TEXT) // 2
_CACHE_WRITES = 10
_CALLS = [(f"tooluse_{number}", *call) for number, call in enumerate(TOOL_CALLS)]


def _usage(read: int, wrote: int, **more: int) -> dict[str, int]:
    return {"inputTokens": read, "outputTokens": wrote, "totalTokens": read + wrote, **more}


_USAGE = _usage(PROMPT_TOKENS, COMPLETION_TOKENS)


def _answer(*blocks: dict[str, Any], reason: str = "end_turn", **changes: Any) -> bytes:
    message = {"role": "assistant", "content": list(blocks or [{"text": TEXT}])}
    whole = {
        "output": {"message": message},
        "stopReason": reason,
        "usage": _USAGE,
        "metrics": {"latencyMs": 512},
    }
    return orjson.dumps(whole | changes)


def _in_pieces(index: int, identity: str, name: str, arguments: dict[str, str]) -> bytes:
    whole = orjson.dumps(arguments).decode()
    return called(index, identity, name, whole[:3], whole[3:])


_TOOLS = _answer(
    *(
        {"toolUse": {"toolUseId": identity, "name": name, "input": arguments}}
        for identity, name, arguments in _CALLS
    ),
    reason="tool_use",
)
_LONG_USAGE = _usage(
    LONG_PROMPT_TOKENS - CACHED_TOKENS - _CACHE_WRITES,
    LONG_COMPLETION_TOKENS,
    cacheReadInputTokens=CACHED_TOKENS,
    cacheWriteInputTokens=_CACHE_WRITES,
)

BEDROCK = AdapterSamples(
    provider="bedrock",
    model="us.anthropic.claude-haiku-4-5-20251001-v1:0",
    api_base="https://bedrock-runtime.eu-west-1.amazonaws.com",
    open=BedrockProvider,
    plain=_answer(),
    tools=_TOOLS,
    cache_write_tokens=_CACHE_WRITES,
    long_usage=_answer(usage=_LONG_USAGE),
    stream_plain=start() + said(TEXT[:_HALF], TEXT[_HALF:]) + end(_USAGE),
    stream_tools=start()
    + b"".join(_in_pieces(index, *call) for index, call in enumerate(_CALLS))
    + end(_USAGE, "tool_use"),
    finish_reasons={
        "stop": [_answer(), _answer(reason="stop_sequence")],
        "length": [
            _answer(reason="max_tokens"),
            _answer(reason="model_context_window_exceeded"),
        ],
        "tool_calls": [_TOOLS],
        "content_filter": [
            _answer(reason="guardrail_intervened"),
            _answer(reason="content_filtered"),
        ],
    },
    error=lambda _status, words: orjson.dumps({"message": words}),
    stream_error=start() + said(TEXT[:_HALF]) + exception("serviceUnavailableException", "Busy."),
    has_stream_in_url=True,
    is_stream_of_text=False,
    refused_features={"an image by a URL": "fetches nothing"},
    has_reasoning_tokens=False,
    refused=frozenset(
        {
            "frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "seed",
            "store", "user", "verbosity",
        }
    ),
    reworded=frozenset({"an image by a data URL", "reasoning_effort"}),
)  # fmt: skip
