"""OpenAI's own answers, and those of servers that speak its protocol with an accent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from nightmail.providers.registry import open_direct

from tests.unit.adapters.cases import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    EMBEDDING_TOKENS,
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

Json = dict[str, Any]
MODEL = "own-model"
USAGE: Json = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
LONG_USAGE: Json = {
    "prompt_tokens": LONG_PROMPT_TOKENS,
    "completion_tokens": LONG_COMPLETION_TOKENS,
    "total_tokens": LONG_PROMPT_TOKENS + LONG_COMPLETION_TOKENS,
    "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": REASONING_TOKENS, "audio_tokens": 0},
}
CALLS = [
    {
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
    for index, (name, arguments) in enumerate(TOOL_CALLS)
]


def answer(
    message: Json, finish_reason: str = "stop", usage: Json = USAGE, **changed: Any
) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795226500,
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
        "system_fingerprint": None,
    }
    return json.dumps(body | changed).encode()


def chunk(delta: Json, finish_reason: str | None = None, **changed: Any) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1795226500,
        "model": MODEL,
        "choices": [choice],
        "usage": None,
    }
    return body | changed


def stream(*chunks: Json, done: bool = True) -> bytes:
    events = [f"data: {json.dumps(each)}\n\n" for each in chunks]
    return "".join([*events, "data: [DONE]\n\n" if done else ""]).encode()


def error(status: int, message: str) -> bytes:
    details = {"message": message, "type": "some_error", "param": None, "code": None}
    return json.dumps({"error": details}).encode()


def _call_deltas() -> list[Json]:
    deltas: list[Json] = []
    for index, call in enumerate(CALLS):
        whole = str(call["function"]["arguments"])  # type: ignore[index]
        first = {
            **call,
            "index": index,
            "function": {"name": TOOL_CALLS[index][0], "arguments": ""},
        }
        pieces = [whole[:4], whole[4:]]
        deltas.append({"tool_calls": [first]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces
        ]
    return deltas


def _embeddings(**changed: Any) -> bytes:
    entries = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(VECTORS)
    ]
    usage = {"prompt_tokens": EMBEDDING_TOKENS, "total_tokens": EMBEDDING_TOKENS}
    body = {"object": "list", "data": entries, "model": MODEL, "usage": usage}
    return json.dumps(body | changed).encode()


ROLE = chunk({"role": "assistant", "content": "", "refusal": None})
SPOKEN = [ROLE, chunk({"content": TEXT[:6]}), chunk({"content": TEXT[6:]})]
USAGE_CHUNK = chunk({}, choices=[], usage=USAGE)
OVERLOADED = {"error": {"message": "Overloaded.", "type": "server_error", "code": None}}

OPENAI = AdapterSamples(
    provider="openai",
    model=MODEL,
    open=open_direct,
    plain=answer({"content": TEXT}),
    tools=answer({"tool_calls": CALLS}, "tool_calls"),
    long_usage=answer({"content": TEXT}, usage=LONG_USAGE),
    stream_plain=stream(*SPOKEN, chunk({}, "stop"), USAGE_CHUNK),
    stream_tools=stream(ROLE, *map(chunk, _call_deltas()), chunk({}, "tool_calls"), USAGE_CHUNK),
    finish_reasons={
        "stop": [answer({"content": TEXT})],
        "length": [answer({"content": TEXT}, "length")],
        "tool_calls": [answer({"tool_calls": CALLS}, "tool_calls")],
        "content_filter": [answer({"content": None}, "content_filter")],
    },
    error=error,
    stream_error=stream(*SPOKEN[:2], OVERLOADED, done=False),
    error_in_success=json.dumps(OVERLOADED).encode(),
    quota=b'{"error": {"message": "Pay.", "type": "insufficient_quota", "code": "insufficient_quota"}}',
    embeddings=_embeddings(),
    spec=Spec("openai.trimmed.openapi.yaml", "/chat/completions", "/embeddings"),
)


def _groq() -> AdapterSamples:
    """Usage comes with the last choice, in a place of its own."""
    last = chunk({}, "stop", x_groq={"id": "req_1", "usage": {**USAGE, "queue_time": 0.01}})
    return replace(
        OPENAI,
        provider="groq",
        stream_plain=stream(*SPOKEN, last),
        refused=frozenset({"logit_bias", "logprobs", "n", "verbosity"}),
        # The content of a message that calls tools may be null.
        undescribed=frozenset({"the results of two tools that were called at once"}),
        spec=Spec("groq.trimmed.openapi.yaml", "/openai/v1/chat/completions"),
    )


def _mistral() -> AdapterSamples:
    """Its own words for a length, for cached tokens and for a refusal; arguments as an object."""
    calls = [
        {"id": "a12345678", "function": {"name": name, "arguments": arguments}}
        for name, arguments in TOOL_CALLS
    ]
    cached = {**LONG_USAGE, "num_cached_tokens": CACHED_TOKENS}
    del cached["prompt_tokens_details"], cached["completion_tokens_details"]
    thinking = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": TEXT},
    ]
    return replace(
        OPENAI,
        provider="mistral",
        tools=answer({"tool_calls": calls}, "tool_calls"),
        long_usage=answer({"content": thinking}, usage=cached),
        stream_plain=stream(*SPOKEN, chunk({"content": ""}, "stop", usage=USAGE)),
        finish_reasons={
            "stop": [answer({"content": TEXT, "tool_calls": None})],
            "length": [answer({"content": TEXT}, "model_length")],
        },
        error=lambda status, message: json.dumps(
            {"detail": [{"loc": ["body", "messages"], "msg": message, "type": "value_error"}]}
            if status == 422
            else {"object": "error", "message": message, "type": "x", "param": None, "code": "1"}
        ).encode(),
        has_reasoning_tokens=False,
        refused=frozenset({"logit_bias", "logprobs", "service_tier", "store", "user", "verbosity"}),
        # Which words there are depends on the model; the service refuses the others itself.
        undescribed=frozenset({"reasoning_effort"}),
        spec=Spec("mistral.trimmed.openapi.yaml", "/v1/chat/completions", "/v1/embeddings"),
    )


def _vllm() -> AdapterSamples:
    """Null details, numbers for codes, and older servers' errors without an envelope."""
    usage = {**USAGE, "prompt_tokens_details": None}
    return replace(
        OPENAI,
        provider="hosted_vllm",
        api_base="http://vllm.internal:8000",
        plain=answer({"content": TEXT, "reasoning_content": None, "tool_calls": []}, usage=usage),
        error=lambda status, message: json.dumps(
            {"object": "error", "message": message, "type": "BadRequestError", "code": status}
        ).encode(),
        stream_error=stream(
            *SPOKEN[:2], {"error": {"message": "Dead.", "type": "x", "code": 500}}, done=True
        ),
        error_in_success=b'{"object": "error", "message": "Dead.", "type": "x", "code": 500}',
        spec=None,
    )


def _xai() -> AdapterSamples:
    """Reasoning is counted beside the completion; usage grows with every chunk."""
    visible = LONG_COMPLETION_TOKENS - REASONING_TOKENS
    usage = {**LONG_USAGE, "completion_tokens": visible}
    growing = [chunk({"content": TEXT[:6]}, usage=USAGE | {"completion_tokens": 1})]
    return replace(
        OPENAI,
        provider="xai",
        long_usage=answer({"content": TEXT}, usage=usage),
        stream_plain=stream(
            ROLE, *growing, chunk({"content": TEXT[6:]}, "stop", usage=USAGE), USAGE_CHUNK
        ),
        error=lambda _, message: json.dumps({"code": "Some words", "error": message}).encode(),
        embeddings=None,
        spec=None,
    )


COMPATIBLE = (
    _groq(),
    _mistral(),
    _vllm(),
    _xai(),
    replace(
        OPENAI,
        provider="together_ai",
        finish_reasons={"stop": [answer({"content": TEXT}, "eos")]},
        refused=frozenset({"logprobs"}),
        # Its requests share the schemas of its answers: an index, and arguments of a mere choice.
        undescribed=frozenset(
            {"one named tool", "the results of two tools that were called at once"}
        ),
        spec=Spec("together.trimmed.openapi.yaml", "/chat/completions", "/embeddings"),
    ),
    replace(OPENAI, provider="fireworks_ai", spec=None),
    replace(OPENAI, provider="deepseek", embeddings=None, spec=None),
    replace(OPENAI, provider="openrouter", spec=None),
    replace(
        OPENAI,
        provider="ollama",
        api_base="http://ollama.internal:11434",
        refused=frozenset({"logit_bias", "n"}),
        spec=None,
    ),
    replace(OPENAI, provider="lm_studio", api_base="http://studio.internal:1234/v1", spec=None),
)
