"""A model's answer as Anthropic's message, and as its stream of events."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from local.simulator.answers import dated, digest
from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Json
from local.simulator.markers import How
from local.simulator.prompts import texts
from local.simulator.speech import EFFORTS, Asked, Said, Tool, speak
from local.simulator.streaming import pieces, words

_STOP_REASONS = {
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "refusal": "refusal",
    "filter": "refusal",
}
_FINAL_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
_MOST_THINKING = 16


def prompt_of(body: Json) -> list[str]:
    """The texts of a prompt in order, the system's first."""
    return [*texts(body.get("system")), *texts(body["messages"])]


def message(body: Json, withheld: How | None, service_tier: str) -> Json:
    asked = _asked(body)
    said = speak(asked, withheld)
    is_refusal = said.end in ("refusal", "filter")
    return {
        "id": f"msg_{asked.digest}",
        "type": "message",
        "role": "assistant",
        "model": dated(body["model"]),
        "content": _blocks(said, asked),
        "stop_reason": _STOP_REASONS.get(said.end, "end_turn"),
        "stop_sequence": said.stop,
        "stop_details": _refusal_details() if is_refusal else None,
        "container": None,
        "usage": _usage(said, service_tier),
    }


def events(answer: Json) -> Iterator[Event]:
    usage = answer["usage"]
    begun: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    begun |= {"usage": usage | {"output_tokens": 1}}
    yield Event(to_event("message_start", message=answer | begun))
    yield Event(to_event("ping"))
    for index, block in enumerate(answer["content"]):
        yield from _block_events(index, block)
    ended = {name: answer[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    final = {name: usage[name] for name in _FINAL_USAGE}
    yield Event(to_event("message_delta", delta=ended, usage=final))
    yield Event(to_event("message_stop"))


def to_event(kind: str, **fields: object) -> bytes:
    data = orjson.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: ".encode() + data + b"\n\n"


def _asked(body: Json) -> Asked:
    choice = body.get("tool_choice") or {}
    form = (body.get("output_config") or {}).get("format") or {}
    forced = {"none": False, "any": True}.get(choice.get("type", "auto"))
    return Asked(
        digest=digest(body),
        texts=prompt_of(body),
        tools=[Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or []],
        choice=choice.get("name") or forced,
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=form.get("schema"),
        limit=body["max_tokens"],
        stops=body.get("stop_sequences") or [],
        thinking=_thinking(body),
    )


def _thinking(body: Json) -> int:
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        return _MOST_THINKING
    effort = (body.get("output_config") or {}).get("effort") or "high"
    return EFFORTS[effort] if thinking.get("type") == "adaptive" else 0


def _blocks(said: Said, asked: Asked) -> list[Json]:
    """A model that chooses to call a tool says so before, one that has to goes straight to the call
    (https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use); thinking comes
    before everything.
    """
    text = said.text
    if said.calls:
        text = "" if asked.choice else f"I will ask {said.calls[0].name}."
    blocks: list[Json] = []
    if said.thinking:
        signature = f"signed-{asked.digest}"
        blocks.append(
            {"type": "thinking", "thinking": " ".join(said.thinking), "signature": signature}
        )
    if text and said.end not in ("refusal", "filter"):
        blocks.append({"type": "text", "text": text, "citations": None})
    blocks += [
        {
            "type": "tool_use",
            "id": f"toolu_{asked.digest}_{call.number}",
            "name": call.name,
            "input": call.arguments,
            "caller": {"type": "direct"},
        }
        for call in said.calls
    ]
    return blocks


def _refusal_details() -> Json:
    return {"type": "refusal", "category": None, "explanation": "This request was declined."}


def _usage(said: Said, service_tier: str) -> Json:
    """Anthropic counts what came from a cache, or went into it, beside the other input."""
    return {
        "input_tokens": said.read,
        "cache_creation_input_tokens": said.written,
        "cache_read_input_tokens": said.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": said.written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": said.wrote + len(said.thinking),
        "output_tokens_details": {"thinking_tokens": len(said.thinking)},
        "server_tool_use": None,
        "service_tier": service_tier,
        "inference_geo": None,
    }


def tokens_of(usage: Json) -> Tokens:
    cached, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return Tokens(
        input=usage["input_tokens"] + cached + written,
        cached=cached,
        cache_write=written,
        output=usage["output_tokens"],
        reasoning=usage["output_tokens_details"]["thinking_tokens"],
    )


def _block_events(index: int, block: Json) -> Iterator[Event]:
    start, deltas = _PARTS[block["type"]](block)
    yield Event(to_event("content_block_start", index=index, content_block=start))
    for delta in deltas:
        is_token = delta["type"] != "signature_delta" and delta.get("partial_json") != ""
        yield Event(to_event("content_block_delta", index=index, delta=delta), is_token)
    yield Event(to_event("content_block_stop", index=index))


def _text_parts(block: Json) -> tuple[Json, list[Json]]:
    deltas = [{"type": "text_delta", "text": word} for word in words(block["text"])]
    return block | {"text": ""}, deltas


def _thinking_parts(block: Json) -> tuple[Json, list[Json]]:
    deltas = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
    signature = {"type": "signature_delta", "signature": block["signature"]}
    return block | {"thinking": "", "signature": ""}, [*deltas, signature]


def _tool_parts(block: Json) -> tuple[Json, list[Json]]:
    """The first piece is empty, and so are all of a tool's without input: as the service does it."""
    text = orjson.dumps(block["input"]).decode() if block["input"] else ""
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(text)]]
    return block | {"input": {}}, deltas


_PARTS = {"text": _text_parts, "thinking": _thinking_parts, "tool_use": _tool_parts}
