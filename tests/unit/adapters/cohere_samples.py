"""Cohere in the suite."""

from __future__ import annotations

from typing import Any

import orjson
from nightmail.providers.cohere.provider import CohereProvider

from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    EMBEDDING_TOKENS,
    LONG_COMPLETION_TOKENS,
    LONG_PROMPT_TOKENS,
    PROMPT_TOKENS,
    TEXT,
    TOOL_CALLS,
    VECTORS,
    AdapterSamples,
)
from tests.unit.cohere_events import START, beginning, called, said, written

_HALF = len(TEXT) // 2


def _usage(read: int, answered: int, cached: int = 0) -> dict[str, Any]:
    """The template is among the tokens, and is not billed; counts are floats."""
    return {
        "billed_units": {"input_tokens": float(read), "output_tokens": float(answered)},
        "tokens": {"input_tokens": float(read + 66), "output_tokens": float(answered)},
        "cached_tokens": float(cached),
    }


def _answer(finish_reason: str = "COMPLETE", **changes: Any) -> bytes:
    message = {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}
    usage = _usage(PROMPT_TOKENS, COMPLETION_TOKENS)
    whole = {"id": "c1", "finish_reason": finish_reason, "message": message, "usage": usage}
    return orjson.dumps(whole | changes)


def _call(number: int, name: str, arguments: dict[str, str]) -> dict[str, Any]:
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return {"id": f"{name}_{number}", "type": "function", "function": function}


def _in_pieces(number: int, name: str, arguments: dict[str, str]) -> bytes:
    text = orjson.dumps(arguments).decode()
    return written(
        called(number, **beginning(f"{name}_{number}", name)),
        called(number, function={"arguments": text[:3]}),
        called(number, function={"arguments": text[3:]}),
        {"type": "tool-call-end", "index": number},
    )


def _end(finish_reason: str, **more: Any) -> bytes:
    usage = _usage(PROMPT_TOKENS, COMPLETION_TOKENS)
    delta = {"finish_reason": finish_reason, "usage": usage, **more}
    return written({"type": "message-end", "delta": delta})


_CALLS = [_call(number, *call) for number, call in enumerate(TOOL_CALLS)]
_TOOLS = _answer(
    "TOOL_CALL",
    message={"role": "assistant", "tool_plan": "I ask for both.", "tool_calls": _CALLS},
)

COHERE = AdapterSamples(
    provider="cohere",
    model="command-a-03-2025",
    open=CohereProvider,
    plain=_answer(),
    tools=_TOOLS,
    long_usage=_answer(usage=_usage(LONG_PROMPT_TOKENS, LONG_COMPLETION_TOKENS, CACHED_TOKENS)),
    stream_plain=written(START, said("", "content-start"), said(TEXT[:_HALF]), said(TEXT[_HALF:]))
    + written({"type": "content-end", "index": 0})
    + _end("COMPLETE"),
    stream_tools=written(START)
    + b"".join(_in_pieces(number, *call) for number, call in enumerate(TOOL_CALLS))
    + _end("TOOL_CALL"),
    finish_reasons={
        "stop": [_answer("COMPLETE"), _answer("STOP_SEQUENCE")],
        "length": [_answer("MAX_TOKENS")],
        "tool_calls": [_TOOLS],
    },
    error=lambda _status, words: orjson.dumps({"id": "e1", "message": words}),
    stream_error=written(START, said(TEXT[:_HALF])) + _end("ERROR", error="we lost it"),
    error_in_success=orjson.dumps({"id": "e1", "message": "we lost it"}),
    embeddings=orjson.dumps(
        {
            "id": "e1",
            "embeddings": {"float": list(VECTORS)},
            "texts": [],
            "meta": {"billed_units": {"input_tokens": float(EMBEDDING_TOKENS)}},
        }
    ),
    has_reasoning_tokens=False,
    refused=frozenset({"logit_bias", "n", "service_tier", "store", "user", "verbosity"}),
    reworded=frozenset({"reasoning_effort"}),
)
