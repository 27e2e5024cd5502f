"""Tools, and which of them the model may or has to use."""

from __future__ import annotations

from typing import Any

from nightmail.parameters import invalid, mapping, one_of, required, wrong_type
from nightmail.providers.bedrock.content import with_cache_point
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.direct import JsonObject

# Where nothing is said the model chooses.
_CHOICES: dict[str, JsonObject | None] = {
    "auto": {},
    "required": {"toolChoice": {"any": {}}},
    "none": None,
}
_ANY_INPUT: JsonObject = {"type": "object", "properties": {}}


def to_tool_config(request: ChatRequest, used: list[str]) -> JsonObject | None:
    """Converse's `toolConfig`, or None where no tool is on offer.

    Converse has no word for tools that must not be called, so they are not offered then; but it has to
    know those that were `used` before.
    """
    tools = _listed(request.given.get("tools") or [])
    choice = _choice(request.given.get("tool_choice"))
    if tools and choice is not None:
        return {"tools": tools, **choice}
    if choice:
        raise invalid("tool_choice", "it forces a tool, but 'tools' has none.")
    return {"tools": [_known(name) for name in used]} if used else None


def _known(name: str) -> JsonObject:
    return {"toolSpec": {"name": name, "inputSchema": {"json": _ANY_INPUT}}}


def _choice(value: Any) -> JsonObject | None:
    """What `toolConfig` has beside the tools; None where no tool is to be called."""
    if value is None:
        return {}
    if isinstance(value, str):
        return _CHOICES[one_of(value, "tool_choice", _CHOICES)]
    choice = mapping(value, "tool_choice")
    one_of(required(choice, "type", "tool_choice.type"), "tool_choice.type", ("function",))
    place = "tool_choice.function"
    name = _name(mapping(required(choice, "function", place), place), place)
    return {"toolChoice": {"tool": {"name": name}}}


def _listed(tools: Any) -> list[JsonObject]:
    if not isinstance(tools, list):
        raise wrong_type(tools, "tools", "an array")
    converted: list[JsonObject] = []
    for index, tool in enumerate(tools):
        converted += _tool(mapping(tool, f"tools[{index}]"), f"tools[{index}]")
    return converted


def _tool(tool: JsonObject, param: str) -> list[JsonObject]:
    one_of(required(tool, "type", f"{param}.type"), f"{param}.type", ("function",))
    place = f"{param}.function"
    function = mapping(required(tool, "function", place), place)
    schema = mapping(function.get("parameters") or _ANY_INPUT, f"{place}.parameters")
    told = {
        "name": _name(function, place),
        "description": function.get("description"),
        "inputSchema": {"json": {**schema, "type": "object"}},
        "strict": True if function.get("strict") is True else None,
    }
    kept = {name: value for name, value in told.items() if value}
    return with_cache_point([{"toolSpec": kept}], tool)


def _name(function: JsonObject, param: str) -> str:
    name = required(function, "name", f"{param}.name")
    if not isinstance(name, str) or not name:
        raise wrong_type(name, f"{param}.name", "a name")
    return name
