"""A model's answer as Gemini's response, and as its stream of pieces; and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from local.simulator import embeddings
from local.simulator.answers import dated, digest
from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Json
from local.simulator.markers import How
from local.simulator.speech import Asked, Said, Tool, speak
from local.simulator.streaming import words

_FINISH_REASONS = {
    "length": "MAX_TOKENS",
    "refusal": "SAFETY",
    "filter": "PROHIBITED_CONTENT",
}
_NO_SCHEMA: Json = {"type": "object", "properties": {}}
_LEVELS = {"MINIMAL": 4, "LOW": 8, "MEDIUM": 16, "HIGH": 32, "XHIGH": 64}
_MOST_THINKING = 16
_DIMENSIONS = 3072


def prompt_of(body: Json) -> list[str]:
    """The texts of a prompt in order, the instruction's first, and those to embed."""
    embedded = [request["content"] for request in body.get("requests") or []]
    asked = [body.get("systemInstruction") or {}, *(body.get("contents") or []), *embedded]
    return [text for content in asked for part in content.get("parts", []) for text in _texts(part)]


def generate(body: Json, withheld: How | None) -> Json:
    asked = _asked(body)
    said = speak(asked, withheld)
    count = _config(body).get("candidateCount") or 1
    return {
        "candidates": [_candidate(index, said, asked, body) for index in range(count)],
        "usageMetadata": _usage(said, count),
        "modelVersion": dated(body["model"]),
        "responseId": asked.digest,
    }


def embed(body: Json) -> Json:
    """Nothing is told of tokens."""
    seed = digest(body)
    return {
        "embeddings": [
            {
                "values": embeddings.vector(
                    f"{seed}:{index}", request.get("outputDimensionality") or _DIMENSIONS
                )
            }
            for index, request in enumerate(body["requests"])
        ]
    }


def events(answer: Json) -> Iterator[Event]:
    """The last piece of every candidate has its reason to finish; each piece has the usage so far."""
    last = len(answer["candidates"]) - 1
    for index, candidate in enumerate(answer["candidates"]):
        for part in candidate["content"]["parts"]:
            for piece in _pieces(part):
                content = {"role": "model", "parts": [piece]}
                yield Event(_to_event(answer, {"content": content, "index": index}), is_token=True)
        ended = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": index}
        ended["finishReason"] = candidate["finishReason"]
        if index == last and "logprobsResult" in candidate:
            ended["logprobsResult"] = candidate["logprobsResult"]
        yield Event(_to_event(answer, ended))


def tokens_of(answer: Json) -> Tokens:
    """Of embeddings nothing is known."""
    usage = answer.get("usageMetadata") or {}
    thoughts = usage.get("thoughtsTokenCount", 0)
    return Tokens(
        input=usage.get("promptTokenCount", 0),
        cached=usage.get("cachedContentTokenCount", 0),
        output=usage.get("candidatesTokenCount", 0) + thoughts,
        reasoning=thoughts,
    )


def to_bytes(content: Json) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\r\n\r\n"


def _to_event(answer: Json, candidate: Json) -> bytes:
    return to_bytes({**answer, "candidates": [candidate]})


def _texts(part: Json) -> list[str]:
    response = (part.get("functionResponse") or {}).get("response") or {}
    return [text for text in (part.get("text"), response.get("result")) if isinstance(text, str)]


def _config(body: Json) -> Json:
    config: Json = body.get("generationConfig") or {}
    return config


def _asked(body: Json) -> Asked:
    config = _config(body)
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = calling.get("allowedFunctionNames") or [None]
    forced = {"NONE": False, "ANY": True}.get(calling.get("mode", "AUTO"))
    tools = [each for tool in body.get("tools") or [] for each in tool["functionDeclarations"]]
    is_json = config.get("responseMimeType") == "application/json"
    return Asked(
        digest=digest(body),
        texts=prompt_of(body),
        tools=[
            Tool(tool["name"], tool.get("parametersJsonSchema") or _NO_SCHEMA) for tool in tools
        ],
        choice=names[0] or forced,
        schema=config.get("responseJsonSchema") or {} if is_json else None,
        limit=config.get("maxOutputTokens"),
        stops=config.get("stopSequences") or [],
        thinking=_thinking(config.get("thinkingConfig") or {}),
    )


def _thinking(config: Json) -> int:
    budget: int = config.get("thinkingBudget", 0)
    level = config.get("thinkingLevel")
    return _LEVELS[level] if level else min(max(budget, 0), _MOST_THINKING)


def _candidate(index: int, said: Said, asked: Asked, body: Json) -> Json:
    shows = (_config(body).get("thinkingConfig") or {}).get("includeThoughts")
    parts: list[Json] = []
    if said.thinking and shows:
        parts.append({"text": " ".join(said.thinking), "thought": True})
    if said.text and said.end not in ("refusal", "filter") and not said.calls:
        parts.append({"text": f"{index + 1}. {said.text}" if index else said.text})
    parts += [
        {
            "functionCall": {
                "id": f"call-{asked.digest}-{call.number}",
                "name": call.name,
                "args": call.arguments,
            },
            **({"thoughtSignature": "c2lnbmVk"} if call.number == 1 else {}),
        }
        for call in said.calls
    ]
    candidate: Json = {
        "content": {"role": "model", "parts": parts},
        "finishReason": _FINISH_REASONS.get(said.end, "STOP"),
        "index": index,
    }
    if _config(body).get("responseLogprobs"):
        token = {"token": said.text, "tokenId": 1, "logProbability": -0.5}
        candidate["logprobsResult"] = {"chosenCandidates": [token]}
    return candidate


def _usage(said: Said, count: int) -> Json:
    """What came from a cache is among the prompt's tokens, thoughts are beside the answers'."""
    read = said.read + said.cached + said.written
    wrote, thoughts = said.wrote * count, len(said.thinking)
    usage: dict[str, Any] = {
        "promptTokenCount": read,
        "candidatesTokenCount": wrote,
        "totalTokenCount": read + wrote + thoughts,
    }
    more = {"cachedContentTokenCount": said.cached, "thoughtsTokenCount": thoughts}
    return usage | {name: tokens for name, tokens in more.items() if tokens}


def _pieces(part: Json) -> list[Json]:
    """A text comes word by word, a function call whole."""
    if "text" not in part:
        return [part]
    return [{**part, "text": word} for word in words(part["text"])]
