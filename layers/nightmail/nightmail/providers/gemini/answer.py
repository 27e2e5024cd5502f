"""A GenerateContentResponse as OpenAI's chat completion; also what a batch's result holds.

Source: Google's API reference, "GenerateContentResponse", "FinishReason" and "UsageMetadata".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from nightmail.providers.conversion.completion import choice, completion
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import count_of, mapping_of

_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "OTHER": "content_filter",
}
_IMAGES = "IMAGE_"  # how the reasons begin for which it draws nothing


@dataclass(slots=True)
class Said:
    """What the parts of a content say; of `calls` each is an entry of `tool_calls` without an index."""

    text: str = ""
    thoughts: str = ""
    calls: list[JsonObject] = field(default_factory=list)


def to_completion(answer: JsonObject, *, created: int) -> JsonObject | None:
    """OpenAI's answer but for `model`, or None for what is no answer.

    `created` is Unix seconds, for Gemini does not tell.
    """
    candidates = candidates_of(answer)
    if not candidates:
        return None
    identity = identity_of(answer)
    choices = [_choice(candidate, identity, place) for place, candidate in enumerate(candidates)]
    found = [each for each in choices if each is not None]
    if len(found) < len(choices):
        return None
    return completion(identity, created, found, to_usage(answer.get("usageMetadata")))


def candidates_of(answer: JsonObject) -> list[JsonObject]:
    """The candidates; one that is blocked where the prompt was, for then there are none."""
    listed = answer.get("candidates")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if not found and is_blocked(answer):
        return [{"finishReason": "PROHIBITED_CONTENT"}]
    return found


def is_blocked(answer: JsonObject) -> bool:
    """Whether the prompt was: nobody answers to it."""
    return bool(mapping_of(answer.get("promptFeedback")).get("blockReason"))


def identity_of(answer: JsonObject) -> str:
    """The answer's own id, or a new one."""
    told = answer.get("responseId")
    return told if isinstance(told, str) and told else f"chatcmpl-{uuid4().hex}"


def read_parts(content: Any, identity: str, calls_before: int = 0) -> Said | None:
    """What a content says, or None where it calls something without a name.

    Calls without an id get one that is made of the answer's, `identity`. What Gemini ran itself, and
    what it drew, has no place in a chat completion.
    """
    said = Said()
    parts = mapping_of(content).get("parts")
    for part in parts if isinstance(parts, list) else []:
        text, call = mapping_of(part).get("text"), mapping_of(part).get("functionCall")
        if isinstance(text, str) and part.get("thought") is True:
            said.thoughts += text
        elif isinstance(text, str):
            said.text += text
        elif isinstance(call, dict):
            if not isinstance(call.get("name"), str):
                return None
            said.calls.append(_to_call(part, call, identity, calls_before + len(said.calls)))
    return said


def finish_reason(reason: Any, *, calls: bool) -> str:
    """OpenAI's word; one that is not known counts as `stop`."""
    word = reason if isinstance(reason, str) else "STOP"
    known = "content_filter" if word.startswith(_IMAGES) else _FINISH_REASONS.get(word, "stop")
    return "tool_calls" if calls and known == "stop" else known


def to_usage(usage: Any) -> JsonObject:
    """Cached tokens are among those of the prompt. Thoughts stand beside the candidates' tokens, but
    for some models among them: the total tells.
    """
    told = mapping_of(usage)
    prompt = count_of(told, "promptTokenCount") + count_of(told, "toolUsePromptTokenCount")
    thoughts, written = count_of(told, "thoughtsTokenCount"), count_of(told, "candidatesTokenCount")
    has_thoughts_within = (
        prompt + written == count_of(told, "totalTokenCount") and thoughts <= written
    )
    completion = written if has_thoughts_within else written + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": count_of(told, "cachedContentTokenCount")},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def to_logprobs(result: Any) -> JsonObject | None:
    """Gemini tells no bytes of a token."""
    chosen = _entries(mapping_of(result).get("chosenCandidates"))
    if not chosen:
        return None
    others = _entries(mapping_of(result).get("topCandidates"))
    tops = [[_logprob(each) for each in _entries(other.get("candidates"))] for other in others]
    tops += [[] for _ in chosen[len(tops) :]]
    content = [
        {**_logprob(token), "top_logprobs": top} for token, top in zip(chosen, tops, strict=False)
    ]
    return {"content": content, "refusal": None}


def _choice(candidate: JsonObject, identity: str, place: int) -> JsonObject | None:
    said = read_parts(candidate.get("content"), identity)
    if said is None:
        return None
    message: JsonObject = {
        "role": "assistant",
        "content": said.text if said.text or not said.calls else None,
        "refusal": None,
    }
    if said.calls:
        message["tool_calls"] = said.calls
    if said.thoughts:
        message["reasoning_content"] = said.thoughts
    reason = finish_reason(candidate.get("finishReason"), calls=bool(said.calls))
    logprobs = to_logprobs(candidate.get("logprobsResult"))
    return choice(message, reason, index=place, logprobs=logprobs)


def _to_call(part: JsonObject, call: JsonObject, identity: str, number: int) -> JsonObject:
    """With the signature of its thoughts, which Gemini wants back, where its own OpenAI-compatible
    endpoint puts it.
    """
    told, signature = call.get("id"), part.get("thoughtSignature")
    arguments = orjson.dumps(mapping_of(call.get("args"))).decode()
    made: JsonObject = {
        "id": told if isinstance(told, str) and told else f"call_{identity}_{number}",
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }
    if isinstance(signature, str):
        made["extra_content"] = {"google": {"thought_signature": signature}}
    return made


def _logprob(token: JsonObject) -> JsonObject:
    text, value = token.get("token"), token.get("logProbability")
    return {
        "token": text if isinstance(text, str) else "",
        "logprob": value if isinstance(value, int | float) else 0.0,
        "bytes": None,
    }


def _entries(value: Any) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
