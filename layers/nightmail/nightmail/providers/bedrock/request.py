"""OpenAI's chat request as a body of Converse and ConverseStream.

Source: botocore's service model `bedrock-runtime`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import integer, mapping, number, one_of, required, wrong_type
from nightmail.providers.bedrock.chat_request import ChatRequest, invalid
from nightmail.providers.bedrock.content import text_blocks
from nightmail.providers.bedrock.conversation import to_conversation, used_tools
from nightmail.providers.bedrock.tools import to_tool_config
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import leave_out, with_defaults

# The model's own parameters, which Converse passes on as they are.
_OF_THE_MODEL = ("reasoning_effort", "thinking", "top_k")
_MORE_OF_THE_MODEL = "additionalModelRequestFields"
_OWN = ("guardrailConfig", "performanceConfig", "requestMetadata")
SUPPORTED = frozenset(
    {
        "model", "messages", "stream", "stream_options",
        "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p",
        "tools", "tool_choice", "response_format", "service_tier", *_OF_THE_MODEL,
        _MORE_OF_THE_MODEL, *_OWN,
    }
)  # fmt: skip
_SERVICE_TIERS = ("default", "flex", "priority", "reserved")
_OPENAI_HOTTEST, _HOTTEST = 2, 1
_MOST_TOKENS = 10_000_000
_ONLY_JSON = "Answer with one JSON object and nothing else: no text around it, and no code fence."


def to_converse(body: Mapping[str, Any], deployment: Deployment) -> JsonObject:
    """`body` for Bedrock, but for the model, which is in the path.

    Raises InvalidRequest naming the parameter that is wrong.
    """
    request = _opened(body, deployment)
    given = request.given
    conversation = to_conversation(required(given, "messages", "messages"))
    wanted_format = _format(given)
    only_json = text_blocks(_ONLY_JSON) if wanted_format == "json_object" else []
    optional = {
        "system": conversation.system + only_json,
        "inferenceConfig": _inference(request),
        "toolConfig": to_tool_config(request, used_tools(conversation.turns)),
        "outputConfig": _schema(given) if wanted_format == "json_schema" else None,
        "serviceTier": _service_tier(request),
        _MORE_OF_THE_MODEL: _of_the_model(given),
        **{name: given[name] for name in _OWN if name in given},
    }
    kept = {name: value for name, value in optional.items() if value}
    return {"messages": conversation.turns, **kept}


def _opened(body: Mapping[str, Any], deployment: Deployment) -> ChatRequest:
    """The request with nothing in it but what Bedrock has some place for."""
    given = with_defaults(body, deployment)
    drops = given.get("drop_params") is True or deployment.drop_params
    leave_out(given, given.keys() - SUPPORTED, deployment)
    return ChatRequest(given, deployment, drops)


def _inference(request: ChatRequest) -> JsonObject:
    config = {
        "maxTokens": _limit(request.given),
        "temperature": _temperature(request),
        "topP": _top_p(request.given),
        "stopSequences": _stop_sequences(request) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _limit(given: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        if name in given:
            return integer(given[name], name, 1, _MOST_TOKENS)
    return None


def _temperature(request: ChatRequest) -> float | None:
    if "temperature" not in request.given:
        return None
    value = number(request.given["temperature"], "temperature", 0, _OPENAI_HOTTEST)
    if value > _HOTTEST:
        request.leave_out("temperature", "bedrock takes 0 to 1.")
        return None
    return value


def _top_p(given: Mapping[str, Any]) -> float | None:
    return number(given["top_p"], "top_p", 0, 1) if "top_p" in given else None


def _stop_sequences(request: ChatRequest) -> list[str]:
    stop = request.given.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else stop
    if not isinstance(sequences, list) or not all(isinstance(entry, str) for entry in sequences):
        raise wrong_type(stop, "stop", "a string or an array of strings")
    if not all(sequences):
        raise invalid("stop", "a sequence of no characters would end everything.")
    return sequences


def _format(given: Mapping[str, Any]) -> str:
    if "response_format" not in given:
        return "text"
    wanted = mapping(given["response_format"], "response_format")
    kind = required(wanted, "type", "response_format.type")
    return one_of(kind, "response_format.type", ("text", "json_object", "json_schema"))


def _schema(given: Mapping[str, Any]) -> JsonObject:
    """Converse takes the schema as the text of it; a model without structured outputs refuses it."""
    param = "response_format.json_schema"
    described = mapping(required(given["response_format"], "json_schema", param), param)
    schema = mapping(required(described, "schema", f"{param}.schema"), f"{param}.schema")
    told = {
        "schema": write_json(schema).decode(),
        "name": described.get("name"),
        "description": described.get("description"),
    }
    kept = {name: value for name, value in told.items() if value}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": kept}}}


def _service_tier(request: ChatRequest) -> JsonObject | None:
    tier = request.given.get("service_tier")
    if tier is None or tier == "auto":
        return None
    if tier in _SERVICE_TIERS:
        return {"type": tier}
    request.leave_out("service_tier", f"bedrock has the tiers {', '.join(_SERVICE_TIERS)}.")
    return None


def _of_the_model(given: Mapping[str, Any]) -> JsonObject:
    own = mapping(given.get(_MORE_OF_THE_MODEL, {}), _MORE_OF_THE_MODEL)
    return {**{name: given[name] for name in _OF_THE_MODEL if name in given}, **own}
