"""OpenAI's chat request as a body of the Messages API, which is also `params` of a batch's request.

Sources: Anthropic's API description of Messages, and its page on OpenAI compatibility.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.parameters import invalid, required, string
from nightmail.providers.anthropic.answer_format import to_answer_format, with_answer_tool
from nightmail.providers.anthropic.chat_request import AnthropicRequest
from nightmail.providers.anthropic.content import text_blocks
from nightmail.providers.anthropic.conversation import (
    AnthropicConversation,
    awaits_thoughts,
    used_tools,
)
from nightmail.providers.anthropic.tools import FORCED, to_tool_choice, to_tools
from nightmail.providers.conversion.claude_sampling import to_sampling
from nightmail.providers.conversion.claude_thinking import to_thinking
from nightmail.providers.direct import JsonObject

_OWN = ("cache_control", "container", "inference_geo")
SUPPORTED = frozenset(
    {
        "model", "messages", "stream", "stream_options",
        "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p", "top_k",
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
        "response_format", "reasoning_effort", "thinking",
        "user", "safety_identifier", "service_tier", *_OWN,
    }
)  # fmt: skip
_SERVICE_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_USER_CHARACTERS = 512
# Anthropic wants no address and no telephone number there.
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+|\+?[\d\s().-]{7,20}")


def to_messages_request(
    body: Mapping[str, Any], deployment: Deployment, *, stream: bool = False
) -> JsonObject:
    """`body` for Anthropic. Raises InvalidRequest naming the parameter that is wrong."""
    request = _opened(body, deployment)
    given = request.given
    conversation = AnthropicConversation.of(required(given, "messages", "messages"))
    answer_format = to_answer_format(request)
    tools = to_tools(request, used_tools(conversation.turns))
    choice = to_tool_choice(request, tools)
    if answer_format.tool:
        tools, choice = with_answer_tool(answer_format.tool, tools, choice)
    thinking = to_thinking(
        request,
        request.abilities,
        forces_tool=bool(choice and choice["type"] in FORCED),
        awaits_thoughts=awaits_thoughts(conversation.turns),
    )
    optional = {
        "system": conversation.instructions + text_blocks(answer_format.instruction or ""),
        "tools": tools,
        "tool_choice": choice,
        "thinking": thinking.config,
        "output_config": _output_config(thinking.effort, answer_format.output_format),
        "stop_sequences": _stop_sequences(request),
        "metadata": _metadata(request),
        "service_tier": _service_tier(request),
        "stream": stream,
    }
    return {
        "model": deployment.model,
        "max_tokens": thinking.max_tokens,
        "messages": conversation.turns,
        **{name: value for name, value in optional.items() if value},
        **to_sampling(request, request.abilities, thinks=thinking.is_on),
        **{name: given[name] for name in _OWN if name in given},
    }


def _opened(body: Mapping[str, Any], deployment: Deployment) -> AnthropicRequest:
    request = AnthropicRequest.open(body, deployment, SUPPORTED)
    if request.given.get("functions") and request.given.get("tools"):
        raise invalid("functions", "give either 'tools' or 'functions'.")
    return request


def _output_config(effort: str | None, output_format: JsonObject | None) -> JsonObject:
    config = {"effort": effort, "format": output_format}
    return {name: value for name, value in config.items() if value}


def _stop_sequences(request: AnthropicRequest) -> list[str]:
    sequences = request.stops()
    visible = [sequence for sequence in sequences if sequence.strip()]
    if len(visible) < len(sequences):
        request.leave_out("stop", "anthropic does not stop at white space.")
    return visible


def _metadata(request: AnthropicRequest) -> JsonObject:
    """Who the end user is. A label that tells a person is left out: the answer does not depend on it."""
    for name in ("safety_identifier", "user"):
        if name in request.given:
            user = string(request.given[name], name, _USER_CHARACTERS)
            return {} if not user or _PERSONAL.fullmatch(user) else {"user_id": user}
    return {}


def _service_tier(request: AnthropicRequest) -> str | None:
    tier = request.given.get("service_tier")
    if tier is None:
        return None
    if isinstance(tier, str) and tier in _SERVICE_TIERS:
        return _SERVICE_TIERS[tier]
    request.leave_out("service_tier", "anthropic has the tiers auto and default.")
    return None
