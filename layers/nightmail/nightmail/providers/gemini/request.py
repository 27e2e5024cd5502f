"""OpenAI's chat request as a GenerateContentRequest, which is also the request of a batch's line.

The model and whether it streams are no part of it: they stand in the URL.
Source: Google's API reference, "GenerateContentRequest" and "GenerationConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import boolean, mapping, one_of, required, wrong_type
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.conversation import to_conversation
from nightmail.providers.gemini.thinking import to_thinking
from nightmail.providers.gemini.tools import to_tool_config, to_tools
from nightmail.providers.request_parameters import leave_out, with_defaults

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
    given = with_defaults(body, deployment)
    drops = given.get("drop_params") is True or deployment.drop_params
    leave_out(given, given.keys() - SUPPORTED, deployment)
    conversation = to_conversation(required(given, "messages", "messages"))
    tools = to_tools(given.get("tools", []))
    thinking = to_thinking(given, deployment, drops=drops)
    optional = {
        "systemInstruction": {"parts": conversation.instructions}
        if conversation.instructions
        else None,
        "tools": tools,
        "toolConfig": to_tool_config(given["tool_choice"])
        if tools and "tool_choice" in given
        else None,
        "generationConfig": _generation(given, thinking),
    }
    return {
        "contents": conversation.contents,
        **{name: value for name, value in optional.items() if value},
        **{theirs: given[name] for name, theirs in _OWN.items() if name in given},
    }


def _generation(given: Mapping[str, Any], thinking: JsonObject) -> JsonObject:
    config = {theirs: given[name] for name, theirs in _SAME.items() if name in given}
    if stops := _stop_sequences(given.get("stop", [])):
        config["stopSequences"] = stops
    if boolean(given.get("logprobs", False), "logprobs"):
        config["responseLogprobs"] = True
        if "top_logprobs" in given:
            config["logprobs"] = given["top_logprobs"]
    if thinking:
        config["thinkingConfig"] = thinking
    return config | _response_format(given.get("response_format"))


def _stop_sequences(stop: Any) -> list[str]:
    sequences = [stop] if isinstance(stop, str) else stop
    if not isinstance(sequences, list) or not all(isinstance(entry, str) for entry in sequences):
        raise wrong_type(stop, "stop", "a string or an array of strings")
    return sequences


def _response_format(wanted: Any) -> JsonObject:
    if wanted is None:
        return {}
    wanted = mapping(wanted, "response_format")
    kind = one_of(
        required(wanted, "type", "response_format.type"),
        "response_format.type",
        ("text", "json_object", "json_schema"),
    )
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": _JSON}
    param = "response_format.json_schema"
    described = mapping(required(wanted, "json_schema", param), param)
    schema = mapping(required(described, "schema", f"{param}.schema"), f"{param}.schema")
    return {"responseMimeType": _JSON, "responseJsonSchema": schema}
