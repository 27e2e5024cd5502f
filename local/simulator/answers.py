"""What a model says: every answer is a function of its request.

The text of an answer ends in a tag, `[sim 0123456789abcdef]`, with the digest of the request's
body. So an answer that was swapped, kept from an earlier run or canned does not fit its request.
A prompt can steer its own answer: `[[fail:429]]` in its last text makes it fail with that status,
`[[fail:500:2]]` the first two times it is executed only, and `[[long:300]]` gives 300 words.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any

import orjson

from local.simulator import embeddings, phrases, structured
from local.simulator.errors import ApiError, failure, invalid_type, missing_parameter, out_of_range
from local.simulator.prompts import count_words, last_text, prompt_texts, texts

Body = dict[str, Any]

FORM_FIELDS = frozenset({"model", "stream", "stream_options", "encoding_format"})
_FAIL = re.compile(r"\[\[fail:(\d{3})(?::(\d+))?\]\]")
_LONG = re.compile(r"\[\[long:(\d+)\]\]")


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


def answer(endpoint: str, body: Body, attempt: int = 1) -> Body:
    """Answer a request's body, sent to an endpoint such as `/v1/embeddings`.

    `attempt` counts how often this request was executed, from 1. Raises ApiError where the
    request is wrong, or asks for a failure.
    """
    _check(endpoint, body)
    if failing := _FAIL.search(last_text(body)):
        status, times = int(failing[1]), failing[2]
        if times is None or attempt <= int(times):
            raise failure(status)
    return _ANSWERS[endpoint](body)


def _check(endpoint: str, body: Body) -> None:
    if endpoint not in _ANSWERS:
        raise ApiError(404, f"This simulator does not answer {endpoint}.")
    field = _REQUIRED[endpoint]
    for name in ("model", field):
        if body.get(name) is None and (name, endpoint) != ("model", "/v1/moderations"):
            raise missing_parameter(name)
    if body[field] in ("", []):
        message = f"Invalid '{field}': empty. Expected at least one."
        raise ApiError(400, message, code="invalid_value", param=field)
    _check_types(body)


def _check_types(body: Body) -> None:
    for name, value in body.items():
        expected, types = _TYPES.get(name, ("anything", object))
        if value is not None and not isinstance(value, types):
            raise invalid_type(name, expected, value)
        if isinstance(value, int) and (expected, types) == _COUNT and value < 1:
            raise out_of_range(name, 1, _MOST)


def _chat(body: Body) -> Body:
    written, finish_reason = _text(body)
    others = range(2, (body.get("n") or 1) + 1)
    contents = [written, *(f"{number}. {written}" for number in others)]
    return {
        "id": f"chatcmpl-{digest(body)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": dated(body["model"]),
        "choices": [
            _choice(index, content, finish_reason) for index, content in enumerate(contents)
        ],
        "usage": _chat_usage(body, contents),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _choice(index: int, content: str, finish_reason: str) -> Body:
    message: Body = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason}


def _completion(body: Body) -> Body:
    written, finish_reason = _text(body)
    choice = {"text": written, "index": 0, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": f"cmpl-{digest(body)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": dated(body["model"]),
        "choices": [choice],
        "usage": _chat_usage(body, [written]),
    }


def _response(body: Body) -> Body:
    written, _ = _text(body)
    read, wrote = count_words(prompt_texts(body)), count_words([written])
    content = {"type": "output_text", "text": written, "annotations": []}
    return {
        "id": f"resp_{digest(body)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": dated(body["model"]),
        "output": [
            {
                "type": "message",
                "id": f"msg_{digest(body)}",
                "status": "completed",
                "role": "assistant",
                "content": [content],
            }
        ],
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": wrote,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + wrote,
        },
    }


def _embedding(body: Body) -> Body:
    words = count_words(prompt_texts(body))
    return {
        "object": "list",
        "data": embeddings.rows(body, digest(body)),
        "model": dated(body["model"]),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def _moderation(body: Body) -> Body:
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


def _text(body: Body) -> tuple[str, str]:
    """The text, and the reason why it ends: the wanted length, or `max_tokens` words."""
    tag = f"[sim {digest(body)}]"
    *before, last = prompt_texts(body) or [""]
    composed = phrases.compose(" ".join(before), last, digest(body))
    if structured.wants_json(body):
        return structured.compose_json(body, composed, tag), "stop"
    words = composed.split(" ")
    if long := _LONG.search(last):
        words = phrases.filler(int(long[1]) - len(tag.split()))
    limits = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    limit = next((body[name] for name in limits if body.get(name)), len(words))
    finish_reason = "length" if limit < len(words) else "stop"
    return " ".join([*words[:limit], tag]), finish_reason


def _chat_usage(body: Body, written: list[str]) -> Body:
    read, wrote = count_words(prompt_texts(body)), count_words(written)
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


_ANSWERS: dict[str, Callable[[Body], Body]] = {
    "/v1/chat/completions": _chat,
    "/v1/completions": _completion,
    "/v1/responses": _response,
    "/v1/embeddings": _embedding,
    "/v1/moderations": _moderation,
}
_COUNT = ("an integer", int)
_MOST = 1_000_000
_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "model": ("a string", str),
    "messages": ("an array of objects", list),
    "input": ("a string or an array", (str, list)),
    "prompt": ("a string or an array", (str, list)),
    "response_format": ("an object", dict),
    "n": _COUNT,
    "dimensions": _COUNT,
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "max_output_tokens": _COUNT,
}
_REQUIRED = {
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/responses": "input",
    "/v1/embeddings": "input",
    "/v1/moderations": "input",
}
