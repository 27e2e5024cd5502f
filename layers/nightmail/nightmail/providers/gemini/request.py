"""OpenAI's chat request as a GenerateContentRequest, which is also the request of a batch's line.

The model and whether it streams are no part of it: they stand in the URL.
Source: Google's API reference, "GenerateContentRequest" and "GenerationConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import boolean, required
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.conversation import GeminiConversation
from nightmail.providers.gemini.thinking import to_thinking
from nightmail.providers.gemini.tools import to_tool_config, to_tools

_SAME = {
    "temperature": "temperature",
    "top_p": "topP",
    "n": "candidateCount",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",  # behind max_tokens, which it overrules
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "top_k": "topK",
}
"""Parameters of the generation that mean the same; the last one is Gemini's own."""
_OWN = {"safety_settings": "safetySettings", "cached_content": "cachedContent"}
_CONVERTED = frozenset(
    {"stop", "logprobs", "top_logprobs", "response_format", "reasoning_effort"}
    | {"messages", "tools", "tool_choice"}
)
_ELSEWHERE = frozenset({"model", "stream", "stream_options"})
SUPPORTED = frozenset({*_SAME, *_OWN, *_CONVERTED, *_ELSEWHERE})
_JSON = "application/json"


def to_generate_request(body: Mapping[str, Any], deployment: Deployment) -> JsonObject:
    """`body` for Gemini. Raises InvalidRequest naming the parameter that is wrong."""
    request = ChatRequest.open(body, deployment, SUPPORTED)
    given = request.given
    conversation = GeminiConversation.of(required(given, "messages", "messages"))
    tools = to_tools(given.get("tools", []))
    thinking = to_thinking(request)
    optional = {
        "systemInstruction": {"parts": conversation.instructions}
        if conversation.instructions
        else None,
        "tools": tools,
        "toolConfig": to_tool_config(given["tool_choice"])
        if tools and "tool_choice" in given
        else None,
        "generationConfig": _generation(request, thinking),
    }
    return {
        "contents": conversation.turns,
        **{name: value for name, value in optional.items() if value},
        **{theirs: given[name] for name, theirs in _OWN.items() if name in given},
    }


def _generation(request: ChatRequest, thinking: JsonObject) -> JsonObject:
    given = request.given
    config = {theirs: given[name] for name, theirs in _SAME.items() if name in given}
    if stops := request.stops():
        config["stopSequences"] = stops
    if boolean(given.get("logprobs", False), "logprobs"):
        config["responseLogprobs"] = True
        if "top_logprobs" in given:
            config["logprobs"] = given["top_logprobs"]
    if thinking:
        config["thinkingConfig"] = thinking
    return config | _response_format(request)


def _response_format(request: ChatRequest) -> JsonObject:
    kind = request.format()
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": _JSON}
    return {"responseMimeType": _JSON, "responseJsonSchema": request.described_schema()["schema"]}
