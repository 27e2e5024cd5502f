"""OpenAI's chat request as a body of Converse and ConverseStream.

Source: botocore's service model `bedrock-runtime`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import invalid, mapping, required
from nightmail.providers.bedrock.content import text_blocks
from nightmail.providers.bedrock.conversation import BedrockConversation, used_tools
from nightmail.providers.bedrock.families import OF_THE_MODEL, tell
from nightmail.providers.bedrock.tools import to_tool_config
from nightmail.providers.conversion.chat_request import ONLY_JSON, ChatRequest
from nightmail.providers.conversion.parts import Pieces
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import write_json

_MORE_OF_THE_MODEL = "additionalModelRequestFields"
_OWN = ("guardrailConfig", "performanceConfig", "requestMetadata")
SUPPORTED = frozenset(
    {
        "model", "messages", "stream", "stream_options",
        "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p",
        "tools", "tool_choice", "parallel_tool_calls", "response_format", "service_tier", *OF_THE_MODEL,
        _MORE_OF_THE_MODEL, *_OWN,
    }
)  # fmt: skip
_SERVICE_TIERS = ("default", "flex", "priority", "reserved")


def to_converse(body: Mapping[str, Any], deployment: Deployment) -> JsonObject:
    """`body` for Bedrock, but for the model, which is in the path.

    Raises InvalidRequest naming the parameter that is wrong.
    """
    request = ChatRequest.open(body, deployment, SUPPORTED)
    given = request.given
    conversation = BedrockConversation.of(required(given, "messages", "messages"))
    tools = to_tool_config(request, used_tools(conversation.turns))
    told = tell(request, conversation.turns, tools)
    optional = {
        "system": conversation.instructions + _instruction(request),
        "inferenceConfig": _limits(request) | told.inference,
        "toolConfig": tools,
        "outputConfig": _schema(request) | told.output,
        "serviceTier": _service_tier(request),
        _MORE_OF_THE_MODEL: told.own
        | mapping(given.get(_MORE_OF_THE_MODEL, {}), _MORE_OF_THE_MODEL),
        **{name: given[name] for name in _OWN if name in given},
    }
    kept = {name: value for name, value in optional.items() if value}
    return {"messages": conversation.turns, **kept}


def _instruction(request: ChatRequest) -> Pieces:
    return text_blocks(ONLY_JSON) if request.format() == "json_object" else []


def _limits(request: ChatRequest) -> JsonObject:
    limits = {"maxTokens": request.token_limit(), "stopSequences": _stop_sequences(request)}
    return {name: value for name, value in limits.items() if value}


def _stop_sequences(request: ChatRequest) -> list[str]:
    sequences = request.stops()
    if not all(sequences):
        raise invalid("stop", "a sequence of no characters would end everything.")
    return sequences


def _schema(request: ChatRequest) -> JsonObject:
    """Converse takes the schema as the text of it; a model without structured outputs refuses it."""
    if request.format() != "json_schema":
        return {}
    described = request.described_schema()
    told = {
        "schema": write_json(described["schema"]).decode(),
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
