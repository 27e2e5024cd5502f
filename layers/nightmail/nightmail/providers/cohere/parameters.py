"""OpenAI's chat parameters as Cohere's (https://docs.cohere.com/reference/chat)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nightmail.providers.cohere.fields import list_of, object_of, text_of, word_of
from nightmail.providers.direct import JsonObject

# Cohere's own bounds of `p`; OpenAI's top_p ends at 0 and at 1.
_LEAST_P, _MOST_P = 0.01, 0.99
# Thinking tokens; without a budget the model decides. Cohere's own OpenAI surface knows only "none"
# and "high", as thinking or not (https://docs.cohere.com/docs/compatibility-api).
_BUDGETS: dict[str, int | None] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": None,
    "xhigh": None,
    "max": None,
}


def to_parameters(parameters: Mapping[str, Any]) -> JsonObject:
    """Those of SUPPORTED but messages and tools. Raises InvalidRequest that names a field."""
    converted: JsonObject = {}
    for name, value in parameters.items():
        if value is None or _is_idle(name, value) or _is_overruled(name, parameters):
            continue
        if name in _SAME:
            converted[_SAME[name]] = value
        elif name in _CONVERTED:
            converted |= _CONVERTED[name](value)
    return converted


def _is_idle(name: str, value: Any) -> bool:
    """Some models refuse the two penalties together (https://docs.cohere.com/reference/errors)."""
    return name in ("frequency_penalty", "presence_penalty") and value == 0


def _is_overruled(name: str, parameters: Mapping[str, Any]) -> bool:
    return name in _OVERRULED and parameters.get(_OVERRULED[name]) is not None


def _stop(value: Any) -> JsonObject:
    stops = [value] if isinstance(value, str) else list_of(value, "stop", "a string or an array")
    return {"stop_sequences": [text_of(stop, "stop") for stop in stops]}


def _top_p(value: Any) -> JsonObject:
    is_openais = isinstance(value, int | float) and 0 <= value <= 1
    return {"p": min(max(value, _LEAST_P), _MOST_P) if is_openais else value}


def _response_format(value: Any) -> JsonObject:
    kind = word_of(
        object_of(value, "response_format").get("type"),
        "response_format.type",
        ("text", "json_object", "json_schema"),
    )
    if kind != "json_schema":
        return {"response_format": {"type": kind}}
    wrapper = object_of(value.get("json_schema"), "response_format.json_schema")
    schema = object_of(wrapper.get("schema"), "response_format.json_schema.schema")
    return {"response_format": {"type": "json_object", "json_schema": schema}}


def _reasoning_effort(value: Any) -> JsonObject:
    return _thinking_of(_BUDGETS[word_of(value, "reasoning_effort", _BUDGETS)])


def _thinking(value: Any) -> JsonObject:
    """Cohere's own, or as LiteLLM's users write it for every provider, with `budget_tokens`."""
    thinking = object_of(value, "thinking")
    if thinking.get("type") == "disabled":
        return _thinking_of(0)
    return _thinking_of(thinking.get("token_budget", thinking.get("budget_tokens")))


def _thinking_of(budget: Any) -> JsonObject:
    if budget == 0:
        return {"thinking": {"type": "disabled"}}
    limit = {} if budget is None else {"token_budget": budget}
    return {"thinking": {"type": "enabled", **limit}}


_SAME = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "temperature": "temperature",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logprobs": "logprobs",
    # Cohere's own
    "p": "p",
    "k": "k",
    "top_k": "k",
    "stop_sequences": "stop_sequences",
    "documents": "documents",
    "citation_options": "citation_options",
    "safety_mode": "safety_mode",
    "strict_tools": "strict_tools",
}
_CONVERTED: dict[str, Callable[[Any], JsonObject]] = {
    "stop": _stop,
    "top_p": _top_p,
    "response_format": _response_format,
    "reasoning_effort": _reasoning_effort,
    "thinking": _thinking,
}
_OVERRULED = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
SUPPORTED = frozenset(
    {"model", "messages", "tools", "tool_choice", "stream", "stream_options", *_SAME, *_CONVERTED}
)
"""What Cohere has of OpenAI's parameters, by its own name or another one, and its own."""
