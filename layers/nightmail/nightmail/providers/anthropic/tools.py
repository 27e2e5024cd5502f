"""Tools, and which of them the model may or has to use."""

from __future__ import annotations

from typing import Any

from nightmail.parameters import boolean, invalid, mapping, one_of, required, wrong_type
from nightmail.providers.anthropic.chat_request import AnthropicRequest
from nightmail.providers.anthropic.content import with_cache_control
from nightmail.providers.anthropic.schema import supported_schema
from nightmail.providers.direct import JsonObject

FORCED = frozenset({"any", "tool"})
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_ANY_INPUT: JsonObject = {"type": "object", "properties": {}}


def wants_functions(body: Any) -> bool:
    """Whether the answer has a `function_call`, as before there were tools."""
    return bool(body.get("functions")) and not body.get("tools")


def to_tools(request: AnthropicRequest, used: list[str]) -> list[JsonObject]:
    """The tools on offer. Where there are none, those `used` before: their calls need them."""
    given = request.given
    if given.get("tools"):
        return _listed(given["tools"], "tools", request)
    if given.get("functions"):
        return _listed(given["functions"], "functions", request)
    return [{"name": name, "input_schema": _ANY_INPUT} for name in used]


def to_tool_choice(request: AnthropicRequest, tools: list[JsonObject]) -> JsonObject | None:
    """Anthropic's `tool_choice`, or None where the model decides."""
    given = request.given
    if wants_functions(given):
        choice = _choice(given.get("function_call"), "function_call")
        return _one_at_a_time(choice)
    choice = _choice(given.get("tool_choice"), "tool_choice")
    if not given.get("tools"):
        if choice and choice["type"] in FORCED:
            raise invalid("tool_choice", "it forces a tool, but 'tools' has none.")
        return {"type": "none"} if tools else None
    if not boolean(given.get("parallel_tool_calls", True), "parallel_tool_calls"):
        return _one_at_a_time(choice)
    return choice


def _one_at_a_time(choice: JsonObject | None) -> JsonObject:
    choice = choice or {"type": "auto"}
    return choice if choice["type"] == "none" else {**choice, "disable_parallel_tool_use": True}


def _choice(value: Any, param: str) -> JsonObject | None:
    if value is None:
        return None
    if isinstance(value, str):
        return {"type": _CHOICES[one_of(value, param, _CHOICES)]}
    function = mapping(value, param)
    if param == "tool_choice":
        one_of(required(function, "type", "tool_choice.type"), "tool_choice.type", ("function",))
        param = "tool_choice.function"
        function = mapping(required(function, "function", param), param)
    return {"type": "tool", "name": _name(function, param)}


def _listed(tools: Any, param: str, request: AnthropicRequest) -> list[JsonObject]:
    if not isinstance(tools, list):
        raise wrong_type(tools, param, "an array")
    convert = _tool if param == "tools" else _function
    return [
        convert(mapping(tool, f"{param}[{index}]"), f"{param}[{index}]", request)
        for index, tool in enumerate(tools)
    ]


def _tool(tool: JsonObject, param: str, request: AnthropicRequest) -> JsonObject:
    one_of(required(tool, "type", f"{param}.type"), f"{param}.type", ("function",))
    place = f"{param}.function"
    function = mapping(required(tool, "function", place), place)
    (converted,) = with_cache_control([_function(function, place, request)], tool)
    return converted


def _function(function: JsonObject, param: str, request: AnthropicRequest) -> JsonObject:
    tool: JsonObject = {"name": _name(function, param)}
    if description := function.get("description"):
        tool["description"] = description
    # Older models take `strict` for a mistake; they follow a schema as well as they can.
    strict = function.get("strict") is True and request.abilities.schemas
    tool["input_schema"] = _input_schema(function, f"{param}.parameters", strict=strict)
    if strict:
        tool["strict"] = True
    (marked,) = with_cache_control([tool], function)
    return marked


def _input_schema(function: JsonObject, param: str, *, strict: bool) -> JsonObject:
    schema = {**mapping(function.get("parameters") or _ANY_INPUT, param), "type": "object"}
    return supported_schema(schema, param) if strict else schema


def _name(function: JsonObject, param: str) -> str:
    name = required(function, "name", f"{param}.name")
    if not isinstance(name, str) or not name:
        raise wrong_type(name, f"{param}.name", "a name")
    return name
