"""A model's answer as Cohere's chat response, and as its stream of events; and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from local.simulator import embeddings
from local.simulator.answers import digest
from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Json
from local.simulator.markers import How
from local.simulator.prompts import count_words, texts
from local.simulator.speech import Asked, Said, Tool, speak
from local.simulator.streaming import DONE, pieces, words

_FINISH_REASONS = {
    "stop_sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "tools": "TOOL_CALL",
    "refusal": "ERROR",
    "filter": "ERROR",
}
_MOST_THINKING = 16
# What the service's own template adds to every prompt.
_TEMPLATE_TOKENS = 66
_DIMENSIONS = 1536


def prompt_of(body: Json) -> list[str]:
    given = ("messages", "texts", "inputs")
    return [text for name in given for text in texts(body.get(name))]


def chat(body: Json, withheld: How | None) -> Json:
    asked = _asked(body)
    said = speak(asked, withheld)
    return {
        "id": _uuid(asked.digest),
        "finish_reason": _FINISH_REASONS.get(said.end, "COMPLETE"),
        "message": _message(said, asked),
        "usage": _usage(said),
    }


def embed(body: Json) -> Json:
    kinds = body.get("embedding_types") or ["float"]
    given = body.get("texts") or body.get("inputs") or body.get("images")
    seed, dimensions = digest(body), body.get("output_dimension") or _DIMENSIONS
    vectors = [
        embeddings.vector(f"{seed}:{index}", dimensions) for index in range(len(given or []))
    ]
    words_read = count_words(prompt_of(body))
    return {
        "id": _uuid(seed),
        "response_type": "embeddings_by_type",
        "embeddings": {kind: [_ENCODERS[kind](vector) for vector in vectors] for kind in kinds},
        "texts": body.get("texts") or [],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": words_read}},
    }


def events(answer: Json) -> Iterator[Event]:
    message = answer["message"]
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield Event(to_event("message-start", id=answer["id"], delta={"message": empty}))
    for index, part in enumerate(message.get("content") or []):
        yield from _content_events(index, part)
    for word in words(message.get("tool_plan") or ""):
        yield Event(to_event("tool-plan-delta", delta={"message": {"tool_plan": word}}))
    for index, call in enumerate(message.get("tool_calls") or []):
        yield from _call_events(index, call)
    ended = {"finish_reason": answer["finish_reason"], "usage": answer["usage"]}
    yield Event(to_event("message-end", id=answer["id"], delta=ended))
    yield DONE


def to_event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + orjson.dumps({"type": kind, **fields}) + b"\n\n"


def _asked(body: Json) -> Asked:
    form = body.get("response_format") or {}
    thinking = body.get("thinking") or {}
    functions = [tool["function"] for tool in body.get("tools") or []]
    return Asked(
        digest=digest(body),
        texts=prompt_of(body),
        tools=[Tool(function["name"], function["parameters"]) for function in functions],
        choice={"REQUIRED": True, "NONE": False}.get(body.get("tool_choice") or ""),
        schema=form.get("json_schema") or {} if form.get("type") == "json_object" else None,
        limit=body.get("max_tokens"),
        stops=body.get("stop_sequences") or [],
        thinking=min(thinking.get("token_budget") or _MOST_THINKING, _MOST_THINKING)
        if thinking.get("type") == "enabled"
        else 0,
    )


def _message(said: Said, asked: Asked) -> Json:
    """A model that calls a tool has a plan instead of a text."""
    content: list[Json] = []
    if said.thinking:
        content.append({"type": "thinking", "thinking": " ".join(said.thinking)})
    if said.text and said.end != "refusal":
        content.append({"type": "text", "text": said.text})
    message: Json = {"role": "assistant"}
    if content:
        message["content"] = content
    if said.calls:
        message["tool_plan"] = f"I will ask {said.calls[0].name}."
        message["tool_calls"] = [
            {
                "id": f"{call.name}_{asked.digest}_{call.number}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.as_text},
            }
            for call in said.calls
        ]
    return message


def _usage(said: Said) -> Json:
    """What is billed is less than what the model read: the template is free."""
    read, wrote = said.read + said.cached + said.written, said.wrote + len(said.thinking)
    return {
        "billed_units": {"input_tokens": read, "output_tokens": wrote},
        "tokens": {"input_tokens": read + _TEMPLATE_TOKENS, "output_tokens": wrote},
        "cached_tokens": said.cached,
    }


def tokens_of(answer: Json) -> Tokens:
    """What is billed, of a chat or of embeddings."""
    usage = answer.get("usage") or answer["meta"]
    units = usage["billed_units"]
    return Tokens(
        input=units["input_tokens"],
        cached=usage.get("cached_tokens", 0),
        output=units.get("output_tokens", 0),
    )


def _content_events(index: int, part: Json) -> Iterator[Event]:
    kind = part["type"]
    start = {"message": {"content": {"type": kind, kind: ""}}}
    yield Event(to_event("content-start", index=index, delta=start))
    for word in words(part[kind]):
        delta = {"message": {"content": {kind: word}}}
        yield Event(to_event("content-delta", index=index, delta=delta), is_token=True)
    yield Event(to_event("content-end", index=index))


def _call_events(index: int, call: Json) -> Iterator[Event]:
    function = {"name": call["function"]["name"], "arguments": ""}
    start = {"message": {"tool_calls": {**call, "function": function}}}
    yield Event(to_event("tool-call-start", index=index, delta=start), is_token=True)
    for piece in pieces(call["function"]["arguments"]):
        delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        yield Event(to_event("tool-call-delta", index=index, delta=delta), is_token=True)
    yield Event(to_event("tool-call-end", index=index))


def _uuid(seed: str) -> str:
    return f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8000-000000000000"


def _bytes(vector: list[float]) -> list[int]:
    """Signed: the first numbers of the vector, scaled back."""
    return [round(value * 4096) for value in vector]


_ENCODERS: dict[str, Any] = {
    "float": embeddings.floats,
    "base64": embeddings.base64_of,
    "int8": _bytes,
    "uint8": lambda vector: [value + 128 for value in _bytes(vector)],
    "binary": lambda vector: _bytes(vector)[::8],
    "ubinary": lambda vector: [value + 128 for value in _bytes(vector)[::8]],
}
