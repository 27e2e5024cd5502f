"""A model's answer as Converse's, and as its stream of events; and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from local.simulator import embeddings
from local.simulator.answers import digest
from local.simulator.bedrock.event_stream import event
from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Json
from local.simulator.markers import How
from local.simulator.prompts import count_words
from local.simulator.speech import Asked, Said, Tool, speak
from local.simulator.streaming import pieces, words

_STOP_REASONS = {
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "refusal": "content_filtered",
    "filter": "guardrail_intervened",
}
_DIMENSIONS = 1024
OF_THE_PATH = ("model", "stream")


def prompt_of(body: Json) -> list[str]:
    if "messages" not in body:
        return body.get("texts") or [body.get("inputText") or ""]
    blocks = [*body.get("system", [])]
    for turn in body["messages"]:
        blocks += turn["content"]
    return [text for block in blocks for text in _texts(block)]


def converse(body: Json, withheld: How | None) -> Json:
    asked = _asked(body)
    said = speak(asked, withheld)
    return {
        "output": {"message": {"role": "assistant", "content": _blocks(said, asked)}},
        "stopReason": _STOP_REASONS.get(said.end, "end_turn"),
        "usage": _usage(said),
        "metrics": {"latencyMs": 1},
    }


def embed(body: Json) -> Json:
    """Cohere's models take several texts, Titan one."""
    given = body.get("texts") or [body["inputText"]]
    dimensions = body.get("output_dimension") or body.get("dimensions") or _DIMENSIONS
    seed = digest(body)
    vectors = [
        embeddings.floats(embeddings.vector(f"{seed}:{index}", dimensions))
        for index in range(len(given))
    ]
    if "texts" in body:
        return {"id": seed, "embeddings": {"float": vectors}, "response_type": "embeddings_by_type"}
    return {"embedding": vectors[0], "inputTextTokenCount": count_words(given)}


def events(answer: Json) -> Iterator[Event]:
    yield Event(event("messageStart", role="assistant"))
    for index, block in enumerate(answer["output"]["message"]["content"]):
        yield from _block_events(index, block)
    yield Event(event("messageStop", stopReason=answer["stopReason"]))
    yield Event(event("metadata", usage=answer["usage"], metrics=answer["metrics"]))


def tokens_of(answer: Json) -> Tokens:
    usage = answer.get("usage") or {}
    read = usage.get("inputTokens", answer.get("inputTextTokenCount", 0))
    cached, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return Tokens(input=read + cached + written, cached=cached, output=usage.get("outputTokens", 0))


def _texts(block: Json) -> Iterator[str]:
    if "text" in block:
        yield block["text"]
    for part in block.get("toolResult", {}).get("content", []):
        yield from _texts(part)


def _asked(body: Json) -> Asked:
    config, inference = body.get("toolConfig") or {}, body.get("inferenceConfig") or {}
    choice = config.get("toolChoice") or {}
    specs = [tool["toolSpec"] for tool in config.get("tools") or [] if "toolSpec" in tool]
    named = choice.get("tool", {}).get("name")
    form = (body.get("outputConfig") or {}).get("textFormat")
    schema = form and orjson.loads(form["structure"]["jsonSchema"]["schema"])
    return Asked(
        digest=digest({name: value for name, value in body.items() if name not in OF_THE_PATH}),
        texts=prompt_of(body),
        tools=[
            Tool(spec["name"], spec["inputSchema"]["json"])
            for spec in specs
            if named in (None, spec["name"])
        ],
        choice=True if choice.keys() & {"any", "tool"} else None,
        schema=schema or None,
        limit=inference.get("maxTokens"),
        stops=inference.get("stopSequences") or [],
    )


def _blocks(said: Said, asked: Asked) -> list[Json]:
    blocks: list[Json] = [{"text": said.text}] if said.text else []
    for call in said.calls:
        identity = f"tooluse_{asked.digest}_{call.number}"
        use = {"toolUseId": identity, "name": call.name, "input": orjson.loads(call.as_text)}
        blocks.append({"toolUse": use})
    return blocks


def _usage(said: Said) -> Json:
    """The tokens of the prompt's cache are counted apart."""
    return {
        "inputTokens": said.read,
        "outputTokens": said.wrote,
        "totalTokens": said.read + said.cached + said.written + said.wrote,
        "cacheReadInputTokens": said.cached,
        "cacheWriteInputTokens": said.written,
    }


def _block_events(index: int, block: Json) -> Iterator[Event]:
    if use := block.get("toolUse"):
        start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
        begun = event("contentBlockStart", contentBlockIndex=index, start=start)
        yield Event(begun, is_token=True)
        for piece in pieces(orjson.dumps(use["input"]).decode()):
            yield _delta(index, {"toolUse": {"input": piece}})
    for word in words(block.get("text") or ""):
        yield _delta(index, {"text": word})
    yield Event(event("contentBlockStop", contentBlockIndex=index))


def _delta(index: int, delta: dict[str, Any]) -> Event:
    told = event("contentBlockDelta", contentBlockIndex=index, delta=delta)
    return Event(told, is_token=True)
