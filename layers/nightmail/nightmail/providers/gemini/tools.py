"""Tools, and which of them the model may or has to use.

Source: Google's API reference, "FunctionDeclaration" and "FunctionCallingConfig".
"""

from __future__ import annotations

from typing import Any

from nightmail.parameters import mapping, one_of, required, string_in, wrong_type
from nightmail.providers.direct import JsonObject

_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


def to_tools(tools: Any) -> list[JsonObject]:
    """Raises InvalidRequest naming what is wrong in `tools`."""
    if not isinstance(tools, list):
        raise wrong_type(tools, "tools", "an array")
    declared = [_declaration(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    return [{"functionDeclarations": declared}] if declared else []


def to_tool_config(choice: Any) -> JsonObject:
    """Raises InvalidRequest naming what is wrong in `tool_choice`."""
    if isinstance(choice, str):
        config: JsonObject = {"mode": _MODES[one_of(choice, "tool_choice", _MODES)]}
    else:
        function = _function(choice, "tool_choice")
        name = string_in(function, "name", "tool_choice.function")
        config = {"mode": "ANY", "allowedFunctionNames": [name]}
    return {"functionCallingConfig": config}


def _declaration(tool: Any, param: str) -> JsonObject:
    """`strict` has no counterpart: Gemini follows a schema as well as it can."""
    function = _function(tool, param)
    declared: JsonObject = {"name": string_in(function, "name", f"{param}.function")}
    if description := function.get("description"):
        declared["description"] = description
    if parameters := function.get("parameters"):
        declared["parametersJsonSchema"] = parameters
    return declared


def _function(tool: Any, param: str) -> JsonObject:
    tool = mapping(tool, param)
    one_of(required(tool, "type", f"{param}.type"), f"{param}.type", ("function",))
    place = f"{param}.function"
    return mapping(required(tool, "function", place), place)
