"""OpenAI's answers. Each one is a function of its request.

The text of an answer ends in a tag, `[sim 0123456789abcdef]`, with the digest of the request's
body. So an answer that was swapped, kept from an earlier run or canned does not fit its request.
A prompt can steer its own answer: see `markers`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import orjson

from local.simulator import embeddings
from local.simulator.billing import Tokens
from local.simulator.markers import How
from local.simulator.prompts import count_words, prompt_texts, texts
from local.simulator.speech import EFFORTS, Asked, Said, Tool, ToolCall, speak

Body = dict[str, Any]

FORM_FIELDS = frozenset({"model", "stream", "stream_options", "encoding_format"})
_FINISH_REASONS = {
    "length": "length",
    "tools": "tool_calls",
    "filter": "content_filter",
}
_NO_SCHEMA: Body = {"type": "object", "properties": {}}


def digest(body: Body) -> str:
    """The first 16 hex digits of the SHA-256 of a request body's canonical JSON.

    Canonical: the body without `model`, `stream`, `stream_options` and `encoding_format` (which
    model answers, and in which form, is no part of what was asked), keys sorted at every level,
    no white space, UTF-8 without escapes.
    """
    asked = {name: value for name, value in body.items() if name not in FORM_FIELDS}
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]


def dated(model: str) -> str:
    """The name that answers carry: providers put a date after the name that was asked for."""
    return f"{model}-2026-01-01"


def chat(body: Body, withheld: How | None, *, shows_thinking: bool = False) -> Body:
    """`shows_thinking` gives the reasoning in words too, which OpenAI itself does not."""
    asked = _asked(body)
    said = speak(asked, withheld)
    count = body.get("n") or 1
    return {
        "id": f"chatcmpl-{asked.digest}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": dated(body["model"]),
        "choices": [_choice(index, said, asked, shows_thinking) for index in range(count)],
        "usage": _usage(said, count),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _asked(body: Body) -> Asked:
    choice = body.get("tool_choice")
    form = body.get("response_format") or {}
    wanted = form.get("json_schema") or {}
    limits = (
        body.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")
    )
    stops = body.get("stop") or []
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort") or (
        reasoning.get("effort") if isinstance(reasoning, dict) else None
    )
    function = choice.get("function") if isinstance(choice, dict) else None
    named = function.get("name") if isinstance(function, dict) else None
    return Asked(
        digest=digest(body),
        texts=prompt_texts(body),
        tools=[_tool(tool["function"]) for tool in body.get("tools") or [] if "function" in tool],
        choice=named or {"none": False, "required": True}.get(str(choice)),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=wanted.get("schema") or {} if form.get("type", "text") != "text" else None,
        limit=next((limit for limit in limits if isinstance(limit, int)), None),
        stops=[stops] if isinstance(stops, str) else stops,
        thinking=EFFORTS.get(effort or "none", 0),
    )


def _tool(function: Body) -> Tool:
    return Tool(function["name"], function.get("parameters") or _NO_SCHEMA)


def _choice(index: int, said: Said, asked: Asked, shows_thinking: bool) -> Body:  # noqa: FBT001
    is_refusal = said.end == "refusal"
    text = f"{index + 1}. {said.text}" if index and said.text else said.text
    message: Body = {
        "role": "assistant",
        "content": None if is_refusal or said.calls else text,
        "refusal": said.text if is_refusal else None,
        "annotations": [],
    }
    if shows_thinking and said.thinking:
        message["reasoning_content"] = " ".join(said.thinking)
    if said.calls:
        message["tool_calls"] = [_tool_call(call, index, asked) for call in said.calls]
    finish_reason = _FINISH_REASONS.get(said.end, "stop")
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason}


def _tool_call(call: ToolCall, index: int, asked: Asked) -> Body:
    function = {"name": call.name, "arguments": call.as_text}
    return {
        "id": f"call_{asked.digest}_{index}_{call.number}",
        "type": "function",
        "function": function,
    }


def _usage(said: Said, count: int) -> Body:
    """OpenAI counts what came from a cache among the prompt's tokens, and reasoning as written."""
    numbers = count - 1 if said.text else 0
    read = said.read + said.cached + said.written
    wrote = (said.wrote + len(said.thinking)) * count + numbers
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
        "prompt_tokens_details": {"cached_tokens": said.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": len(said.thinking) * count,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def tokens_of(usage: Body) -> Tokens:
    """Takes the usage of any endpoint: chat, embeddings and responses name it differently."""
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    wrote = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    return Tokens(
        input=usage.get("prompt_tokens", 0) + usage.get("input_tokens", 0),
        cached=read.get("cached_tokens", 0),
        output=usage.get("completion_tokens", 0) + usage.get("output_tokens", 0),
        reasoning=wrote.get("reasoning_tokens", 0),
    )


def _completion(body: Body, withheld: How | None) -> Body:
    said = speak(_asked(body), withheld)
    finish_reason = _FINISH_REASONS.get(said.end, "stop")
    return {
        "id": f"cmpl-{digest(body)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": dated(body["model"]),
        "choices": [
            {"text": said.text, "index": 0, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": _usage(said, 1),
    }


def _response(body: Body, withheld: How | None) -> Body:
    said = speak(_asked(body), withheld)
    usage = _usage(said, 1)
    is_cut = said.end == "length"
    status = "incomplete" if is_cut else "completed"
    content = {"type": "output_text", "text": said.text, "annotations": []}
    return {
        "id": f"resp_{digest(body)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "model": dated(body["model"]),
        "output": [
            {
                "type": "message",
                "id": f"msg_{digest(body)}",
                "status": status,
                "role": "assistant",
                "content": [content],
            }
        ],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": said.cached},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": len(said.thinking)},
            "total_tokens": usage["total_tokens"],
        },
    }


def _embedding(body: Body, _: How | None) -> Body:
    words = count_words(prompt_texts(body))
    return {
        "object": "list",
        "data": embeddings.rows(body, digest(body)),
        "model": dated(body["model"]),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def _moderation(body: Body, _: How | None) -> Body:
    result = {
        "flagged": False,
        "categories": {"violence": False},
        "category_scores": {"violence": int(digest(body), 16) / 2**66},
        "category_applied_input_types": {"violence": ["text"]},
    }
    return {
        "id": f"modr-{digest(body)}",
        "model": dated(body.get("model") or "omni-moderation-latest"),
        "results": [result for _ in texts(body["input"])],
    }


ANSWERS: dict[str, Callable[[Body, How | None], Body]] = {
    "/chat/completions": chat,
    "/completions": _completion,
    "/responses": _response,
    "/embeddings": _embedding,
    "/moderations": _moderation,
}
