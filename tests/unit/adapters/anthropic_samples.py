"""Anthropic in the suite."""

from __future__ import annotations

import orjson
from nightmail.providers.anthropic.errors import STATUSES
from nightmail.providers.anthropic.provider import AnthropicProvider

from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    LONG_COMPLETION_TOKENS,
    LONG_PROMPT_TOKENS,
    REASONING_TOKENS,
    TEXT,
    TOOL_CALLS,
    AdapterSamples,
    Spec,
)
from tests.unit.anthropic_events import (
    MODEL,
    PING,
    end,
    error,
    failure,
    message,
    start,
    text,
    text_block,
    tool_block,
    tool_use,
    usage,
)

_HALF = len(TEXT) // 2
_KINDS = {status: kind for kind, status in STATUSES.items()}
_CALLS = [(f"toolu_{number}", *call) for number, call in enumerate(TOOL_CALLS)]
_CACHE_WRITES = 10


def _finished(stop_reason: str) -> bytes:
    return orjson.dumps(message(text(TEXT), stop_reason=stop_reason))


def _error(status: int, words: str) -> bytes:
    return error(_KINDS.get(status, "api_error"), words)


def _in_pieces(index: int, identity: str, name: str, arguments: dict[str, str]) -> bytes:
    whole = orjson.dumps(arguments).decode()
    return tool_block(index, identity, "", whole[:3], whole[3:], name=name)


_TOOLS = message(
    *(tool_use(identity, arguments, name) for identity, name, arguments in _CALLS),
    stop_reason="tool_use",
)
_REFUSED = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "seed",
        "service_tier", "store", "verbosity",
    }
)  # fmt: skip
_LONG_USAGE = usage(
    LONG_PROMPT_TOKENS - CACHED_TOKENS - _CACHE_WRITES,
    LONG_COMPLETION_TOKENS,
    cache_read_input_tokens=CACHED_TOKENS,
    cache_creation_input_tokens=_CACHE_WRITES,
    output_tokens_details={"thinking_tokens": REASONING_TOKENS},
)

ANTHROPIC = AdapterSamples(
    provider="anthropic",
    model=MODEL,
    open=AnthropicProvider,
    plain=orjson.dumps(message(text(TEXT))),
    tools=orjson.dumps(_TOOLS),
    cache_write_tokens=_CACHE_WRITES,
    long_usage=orjson.dumps(message(text(TEXT), usage=_LONG_USAGE)),
    stream_plain=start()
    + PING
    + text_block(0, TEXT[:_HALF], TEXT[_HALF:])
    + end(written=COMPLETION_TOKENS),
    stream_tools=start()
    + b"".join(_in_pieces(index, *call) for index, call in enumerate(_CALLS))
    + end("tool_use"),
    finish_reasons={
        "stop": [_finished("end_turn"), _finished("stop_sequence"), _finished("pause_turn")],
        "length": [_finished("max_tokens"), _finished("model_context_window_exceeded")],
        "tool_calls": [orjson.dumps(_TOOLS)],
        "content_filter": [_finished("refusal")],
    },
    error=_error,
    stream_error=start() + text_block(0, TEXT[:_HALF]) + failure(),
    error_in_success=error("api_error", "Internal server error"),
    refused=_REFUSED,
    reworded=frozenset({"reasoning_effort"}),
    spec=Spec("anthropic.trimmed.openapi.yaml", "/v1/messages"),
)
