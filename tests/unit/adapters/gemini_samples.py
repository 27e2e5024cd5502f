"""Gemini in the suite."""

from __future__ import annotations

from typing import Any

import orjson
from nightmail.providers.gemini.provider import GeminiProvider

from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    LONG_COMPLETION_TOKENS,
    LONG_PROMPT_TOKENS,
    PROMPT_TOKENS,
    REASONING_TOKENS,
    TEXT,
    TOOL_CALLS,
    VECTORS,
    AdapterSamples,
    Spec,
)

MODEL = "gemini-2.5-flash"
_HALF = len(TEXT) // 2
# google.rpc.Code's word for each status.
_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_OTHERS = frozenset(
    {"RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER", "IMAGE_SAFETY"}
)


def usage(read: int, written: int, cached: int = 0, thoughts: int = 0) -> dict[str, int]:
    total = read + written + thoughts
    counted = {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": total}
    more = {"cachedContentTokenCount": cached, "thoughtsTokenCount": thoughts}
    return counted | {name: count for name, count in more.items() if count}


def answer(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """A whole answer, or without a reason a piece of one."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    whole = {
        "candidates": [candidate],
        "usageMetadata": usage(PROMPT_TOKENS, COMPLETION_TOKENS),
        "modelVersion": MODEL,
        "responseId": "r1",
    }
    return whole | more


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"text": words, **more}


def call(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": arguments}}


def error(status: int, words: str) -> bytes:
    told = {"code": status, "message": words, "status": _WORDS.get(status, "UNKNOWN")}
    return orjson.dumps({"error": told})


def event(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\r\n\r\n"


def _finished(reason: str) -> bytes:
    return orjson.dumps(answer(text(TEXT), reason=reason))


_TOOLS = orjson.dumps(answer(*(call(*each) for each in TOOL_CALLS)))
_BLOCKED = {
    "promptFeedback": {"blockReason": "SAFETY"},
    "usageMetadata": usage(PROMPT_TOKENS, 0),
    "modelVersion": MODEL,
}
_LONG_USAGE = usage(
    LONG_PROMPT_TOKENS,
    LONG_COMPLETION_TOKENS - REASONING_TOKENS,
    CACHED_TOKENS,
    REASONING_TOKENS,
)
_BEGUN = event(answer(text(TEXT[:_HALF]), reason=None))

GEMINI = AdapterSamples(
    provider="gemini",
    model=MODEL,
    open=GeminiProvider,
    plain=orjson.dumps(answer(text(TEXT))),
    tools=_TOOLS,
    long_usage=orjson.dumps(answer(text(TEXT), usageMetadata=_LONG_USAGE)),
    stream_plain=_BEGUN + event(answer(text(TEXT[_HALF:]))),
    stream_tools=b"".join(event(answer(call(*each), reason=None)) for each in TOOL_CALLS)
    + event(answer()),
    finish_reasons={
        "stop": [_finished("STOP"), _finished("MALFORMED_FUNCTION_CALL")],
        "length": [_finished("MAX_TOKENS")],
        "tool_calls": [_TOOLS],
        "content_filter": [
            _finished("SAFETY"),
            *(_finished(reason) for reason in sorted(_OTHERS)),
            orjson.dumps(_BLOCKED),
        ],
    },
    error=error,
    stream_error=_BEGUN + event(orjson.loads(error(503, "The model is overloaded."))),
    error_in_success=error(500, "An internal error has occurred."),
    embeddings=orjson.dumps({"embeddings": [{"values": vector} for vector in VECTORS]}),
    embedding_tokens=2,  # it tells none: they are estimated
    has_stream_in_url=True,
    refused=frozenset({"logit_bias", "service_tier", "store", "user", "verbosity"}),
    reworded=frozenset({"reasoning_effort"}),
    # Of a request for embeddings the description lacks the model, without which the service takes none.
    spec=Spec("gemini-native.openapi.json", "/v1beta/models/{model}:generateContent"),
)
